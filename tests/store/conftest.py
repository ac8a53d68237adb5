"""A store on each engine; PostgreSQL is a real server, started for the tests."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from store_place import Place

from luthier.store.store import Store

PASSWORD = "s3cret-w0rd"


def _binaries() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: p.parts[-3])
    if found:
        return found[-1].parent
    named = shutil.which("initdb")
    if named is None:
        pytest.skip("no PostgreSQL server is installed: initdb was not found")
    return Path(named).resolve().parent


def _user() -> list[str]:
    """What starts a command as a user that the server accepts: anyone but root."""
    if os.geteuid() != 0:
        return []
    names = [entry.pw_name for entry in pwd.getpwall()]
    if "postgres" not in names or shutil.which("runuser") is None:
        pytest.skip("PostgreSQL refuses to run as root, and there is no user postgres")
    return ["runuser", "-u", "postgres", "--"]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a running server without a database name."""
    binaries, user, port = _binaries(), _user(), _free_port()
    # Not in tmp_path: the server's user can't enter that, and socket names must be short.
    home = Path(tempfile.mkdtemp(prefix="luthier-pg-"))
    data, word = home / "data", home / "word"
    word.write_text(PASSWORD)
    if user:
        shutil.chown(home, "postgres")
        shutil.chown(word, "postgres")

    def call(program: str, *arguments: str) -> None:
        command = [*user, str(binaries / program), "-D", str(data), *arguments]
        with (home / "errors").open("ab") as errors:
            done = subprocess.run(
                command, cwd=home, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=errors, timeout=120,
            )  # fmt: skip
        assert done.returncode == 0, (home / "errors").read_text()

    call("initdb", "-U", "tester", "-A", "scram-sha-256", f"--pwfile={word}", "-N")
    settings = f"-p {port} -k {home} -c listen_addresses=127.0.0.1 -c fsync=off"
    try:
        call("pg_ctl", "-w", "-l", str(home / "log"), "-o", settings, "start")
        yield f"postgresql+psycopg://tester:{PASSWORD}@127.0.0.1:{port}"
    finally:
        call("pg_ctl", "-m", "immediate", "stop")
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def postgres(postgres_server: str) -> Iterator[str]:
    """The URL of an empty database."""
    import psycopg

    name = f"t{uuid.uuid4().hex[:10]}"
    admin = postgres_server.replace("+psycopg", "") + "/postgres"
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield f"{postgres_server}/{name}"
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """An empty place for a store, once on each engine."""
    url = None if request.param == "sqlite" else request.getfixturevalue("postgres")
    return Place(url, tmp_path / "home")


@pytest.fixture
def store(place: Place) -> Store:
    """An empty store, once on each engine."""
    return place.open()


@pytest.fixture
def new(store: Store) -> Callable[[], str]:
    """Begins a small run and gives its id."""
    return lambda: store.create("tickets", "classify", {"train": {"epochs": 3}}, {"a": 1}).id
