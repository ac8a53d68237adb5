"""URLs of stores, and that no password is ever shown."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path

import pytest

from luthier.core.errors import InstallExtra, LuthierError, RepairStore
from luthier.store.sql.address import read_address, shown
from luthier.store.sql.database import Database
from luthier.store.store import Store

SECRET = "hush-hush"


def test_without_a_url_the_file_is_in_the_folder(tmp_path: Path) -> None:
    assert read_address(None, tmp_path).database == str(tmp_path / "luthier.db")


def test_the_home_variable_names_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LUTHIER_HOME", str(tmp_path / "here"))
    assert Store.open().folder == tmp_path / "here"
    assert (tmp_path / "here" / "luthier.db").is_file()


def test_an_sqlite_url_names_the_file(tmp_path: Path) -> None:
    store = Store.open(f"sqlite:///{tmp_path}/deep/other.db", tmp_path / "home")
    run = store.create("a", "tag", {}, {})
    assert (tmp_path / "deep" / "other.db").is_file()
    assert run.path.parent == tmp_path / "home" / "runs"


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_every_spelling_of_postgresql_gets_the_driver(scheme: str, tmp_path: Path) -> None:
    for url in (f"{scheme}://me:{SECRET}@host/name", f"{scheme}://me@host/name?password={SECRET}"):
        address = read_address(url, tmp_path)
        assert address.drivername == "postgresql+psycopg"
        assert address.password == SECRET
        assert SECRET not in shown(address)
        assert SECRET not in repr(Database(address)) + repr(Database(address).engine)


@pytest.mark.parametrize(
    "url",
    [
        f"mysql://me:{SECRET}@host/name",
        f"me:{SECRET}",
        f"postgresql://me:{SECRET}@host:port/name",
        f"postgresql://me:{SECRET}@127.0.0.1:1/name",
        f"postgresql://me@127.0.0.1:1/name?password={SECRET}",
        f"postgresql://me:{SECRET}@127.0.0.1:1/name?nonsense=1",
        f"nonsense://me:{SECRET}@host/name",
        "sqlite://",
        "sqlite:///:memory:",
        "",
    ],
)
def test_what_cannot_be_opened_is_refused_without_the_password(url: str, tmp_path: Path) -> None:
    with pytest.raises(RepairStore) as met:
        Store.open(url, tmp_path)
    assert SECRET not in "".join(traceback.format_exception(met.value))
    assert met.value.allowed or met.value.advice


def test_a_wrong_password_is_not_shown(postgres: str, tmp_path: Path) -> None:
    with pytest.raises(RepairStore, match="authentication") as met:
        Store.open(postgres.replace("s3cret-w0rd", SECRET), tmp_path)
    assert SECRET not in "".join(traceback.format_exception(met.value))


def test_a_missing_database_is_named(postgres: str, tmp_path: Path) -> None:
    with pytest.raises(RepairStore, match="no_such") as met:
        Store.open(postgres.rpartition("/")[0] + "/no_such", tmp_path)
    assert "s3cret" not in "".join(traceback.format_exception(met.value))


def test_a_missing_driver_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(InstallExtra, match=r"luthier\[postgres\]") as met:
        Store.open(f"postgresql://me:{SECRET}@host/name", tmp_path)
    assert isinstance(met.value, LuthierError)
    assert SECRET not in "".join(traceback.format_exception(met.value))
