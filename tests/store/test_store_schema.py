"""The tables and their versions, on each engine."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text
from store_place import Place

from luthier.core.errors import RepairStore
from luthier.store.sql.address import read_address
from luthier.store.sql.database import Database
from luthier.store.sql.schema import migrations
from luthier.store.sql.tables import HEAD, METADATA, VERSION_TABLE
from luthier.store.store import Store


def _database(place: Place) -> Database:
    return Database(read_address(place.url, place.folder))


def test_the_steps_lead_to_the_tables_of_the_code(place: Place) -> None:
    place.open()
    with _database(place).engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        assert compare_metadata(context, METADATA) == []
        scripts = ScriptDirectory.from_config(migrations(connection))
    assert scripts.get_heads() == [HEAD]


def test_the_steps_can_be_taken_back(place: Place) -> None:
    place.open()
    database = _database(place)
    database.write(lambda connection: command.downgrade(migrations(connection), "base"))
    with database.engine.connect() as connection:
        assert set(inspect(connection).get_table_names()) == {VERSION_TABLE}
    run = place.open().create("a", "tag", {}, {})
    assert place.open().list() == [run]


def test_a_newer_version_is_refused_and_kept(place: Place) -> None:
    run = place.open().create("a", "tag", {}, {})
    database = _database(place)

    def name(version: str) -> None:
        statement = text(f"UPDATE {VERSION_TABLE} SET version_num = :version")
        database.write(lambda c: c.execute(statement, {"version": version}))

    name("9999")
    with pytest.raises(RepairStore, match="'9999'") as met:
        place.open()
    assert HEAD in met.value.allowed and "newer" in met.value.advice
    assert "s3cret" not in str(met.value)
    name(HEAD)
    assert place.open().list() == [run]


def test_tables_without_a_version_are_refused(place: Place) -> None:
    place.open()
    _database(place).write(lambda c: c.execute(text(f"DROP TABLE {VERSION_TABLE}")))
    with pytest.raises(RepairStore, match="luthier_runs"):
        place.open()


def test_the_file_of_another_program_is_refused(tmp_path: Path) -> None:
    place = Place(None, tmp_path)
    _database(place).write(lambda c: c.execute(text("CREATE TABLE notes (x)")))
    with pytest.raises(RepairStore, match="notes"):
        place.open()


def test_a_database_of_a_server_may_hold_other_tables(postgres: str, tmp_path: Path) -> None:
    place = Place(postgres, tmp_path)
    for name in ("runs", "metrics", "alembic_version"):
        statement = text(f"CREATE TABLE {name} (x text)")
        _database(place).write(lambda c, s=statement: c.execute(s))
    run = place.open().create("a", "tag", {}, {})
    assert place.open().list() == [run]


def test_a_step_that_fails_leaves_no_tables(
    place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    steps = tmp_path / "steps"
    shutil.copytree(Path(Store.open.__code__.co_filename).parent / "migrations", steps)
    step = steps / "versions" / "v0001_runs.py"
    cut = step.read_text().replace('    op.create_index("ix_luthier_uses', "    1 / 0\n    #")
    step.write_text(cut)
    with monkeypatch.context() as patch:
        patch.setattr("luthier.store.sql.schema.MIGRATIONS", steps)
        with pytest.raises(ZeroDivisionError):
            place.open()
    with _database(place).engine.connect() as connection:
        assert inspect(connection).get_table_names() == []
    assert place.open().list() == []
