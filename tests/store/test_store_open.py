"""Opening and closing a store."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from store_children import finish, start
from store_place import Place

from luthier.core.errors import RepairStore
from luthier.store.store import Store


def test_a_closed_store_keeps_its_runs(place: Place) -> None:
    with place.open() as store:
        run = store.create("a", "tag", {}, {})
    with place.open() as again:
        assert again.list() == [run]


def test_a_store_is_closed_when_its_block_fails(tmp_path: Path) -> None:
    with pytest.raises(KeyError), Store.open(folder=tmp_path):
        raise KeyError
    assert not (tmp_path / "luthier.db-wal").exists()


def test_a_store_at_the_newest_version_opens_without_the_migration_tool(place: Place) -> None:
    place.open().close()
    child = start("print('alembic' in sys.modules)", place.url, place.folder)
    assert finish(child) == "False\n"


def test_an_emptied_database_beside_runs_is_refused(tmp_path: Path) -> None:
    Store.open(folder=tmp_path).create("a", "tag", {}, {})
    file = tmp_path / "luthier.db"
    file.write_bytes(b"")
    with pytest.raises(RepairStore, match="empty") as met:
        Store.open(folder=tmp_path)
    assert file.stat().st_size == 0 and "delete" in met.value.advice
    file.unlink()
    assert Store.open(folder=tmp_path).list() == []


def test_a_new_file_has_its_head_before_its_tables(tmp_path: Path) -> None:
    """What tells a file that is being made from one that was emptied."""
    connection = sqlite3.connect(tmp_path / "new.db")
    connection.execute("PRAGMA journal_mode=WAL")
    size = (tmp_path / "new.db").stat().st_size
    connection.close()
    assert size > 0


def test_an_empty_file_without_runs_becomes_a_store(tmp_path: Path) -> None:
    (tmp_path / "luthier.db").touch()
    assert Store.open(folder=tmp_path).list() == []
