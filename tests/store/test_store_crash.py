"""Stores that are killed, shared, damaged, or on a full disk."""

from __future__ import annotations

import errno
import json
import random
import signal
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from store_children import finish, start
from store_place import Place

from luthier.core.errors import FreeDisk, RepairStore
from luthier.store.journal import Journal
from luthier.store.manifest import Manifest
from luthier.store.store import CurvePoint, Store

_WORK = """
journal, number = Journal(folder / "journal.jsonl"), 0
artefacts = Artefacts(folder)
while True:
    number += 1
    name = f"{sys.argv[3]}-{number}"
    run = store.create(name, "classify", {"name": name}, {})
    store.record_metrics(run.id, "test", "base", {"f1": Interval(0.5, 0.4, 0.6)})
    store.record_curve(run.id, [CurvePoint(i, i / 2, "loss", i / 4) for i in range(50)])
    journal.append("run", {"name": name, "pad": "x" * 5000})
    (run.path / "made").mkdir()
    (run.path / "made" / "file").write_text(name * 1000)
    artefacts.shelve(f"stage-{name}", run.path / "made")
    key = artefacts.put_folder(run.path / "made")
    store.use(run.id, key)
    store.set_status(run.id, "finished")
    print(json.dumps([run.id, name, key]), flush=True)
"""


def _check(store: Store, told: list[Any]) -> None:
    for run_id, name, key in told:
        run = store.find(run_id)
        assert (run.status, run.name, run.recipe) == ("finished", name, {"name": name})
        assert len(store.metrics(run_id)) == 1
        assert len(store.curve(run_id)) == 50
        assert (store.artefacts.get(key) / "file").read_text() == name * 1000
        assert store.artefacts.shelf(f"stage-{name}") is not None


def test_a_kill_at_any_moment_leaves_a_sound_store(place: Place) -> None:
    chance, told = random.Random(7), []
    for turn in range(3):
        child = start(_WORK, place.url, place.folder, str(turn))
        assert child.stdout is not None
        told.append(json.loads(child.stdout.readline()))
        time.sleep(chance.uniform(0.05, 0.4))
        child.send_signal(signal.SIGKILL)
        told += [json.loads(line) for line in child.communicate()[0].splitlines()]
        store = place.open()
        _check(store, told)
    runs = store.list(limit=None)
    # A run is told after its last step, so each kill leaves at most one that is not.
    assert len(told) <= len(runs) <= len(told) + 3
    assert all(run.path.is_dir() for run in runs)
    assert {run.status for run in runs} <= {"finished", "interrupted"}
    for run in runs:
        assert len(store.curve(run.id)) in (0, 50)
    for entry in (place.folder / "artefacts" / "shelf").glob("*/*"):
        assert Manifest.verify(entry) == []
    journal = Journal(place.folder / "journal.jsonl")
    assert journal.verify() >= len(told)
    named = {entry.payload.get("name") for entry in journal.read()}
    assert {name for _, name, _ in told} <= named


_SHARE = """
me, journal = sys.argv[3], Journal(folder / "journal.jsonl")
artefacts, made = Artefacts(folder), folder / f"made-{me}"
made.mkdir()
(made / "who").write_text(me)
for number in range(6):
    run = store.create(f"{me}-{number}", "tag", {}, {})
    store.set_facts("SHARED", {f"{me}-{number}": number})
    journal.append("step", {"who": me, "number": number})
    kept = artefacts.shelve(f"stage-{number}", made)
    print(number, (kept / "who").read_text())
"""


def test_four_processes_write_at_once(place: Place) -> None:
    shared = place.open().create("shared", "tag", {}, {}).id
    body = _SHARE.replace("SHARED", shared)
    children = [start(body, place.url, place.folder, name) for name in "abcd"]
    outs = [finish(child) for child in children]
    # Whoever was first, everyone got the same.
    assert len({line for out in outs for line in out.splitlines()}) == 6
    store, wanted = place.open(), {f"{who}-{n}": n for who in "abcd" for n in range(6)}
    assert store.find(shared).facts == wanted
    runs = store.list(limit=None)
    assert {run.name for run in runs} == {*wanted, "shared"}
    assert len({run.id for run in runs}) == 25
    journal = Journal(place.folder / "journal.jsonl")
    assert journal.verify() == 24
    for who in "abcd":
        numbers = [e.payload["number"] for e in journal.read() if e.payload["who"] == who]
        assert numbers == list(range(6))


def test_four_processes_open_a_new_store_at_once(place: Place) -> None:
    children = [start("print(len(store.list()))", place.url, place.folder) for _ in range(4)]
    assert [finish(child) for child in children] == ["0\n"] * 4


@pytest.mark.parametrize("content", [b"no database at all, only text" * 100, b"\0" * 9000])
def test_a_file_that_is_no_database_is_refused_and_kept(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "luthier.db"
    file.write_bytes(content)
    with pytest.raises(RepairStore, match=r"luthier\.db") as met:
        Store.open(folder=tmp_path)
    assert met.value.advice
    assert file.read_bytes() == content


def test_a_damaged_database_is_refused(tmp_path: Path) -> None:
    store = Store.open(folder=tmp_path)
    for number in range(20):
        store.create(f"run {number}", "tag", {"pad": "x" * 3000}, {})
    file = tmp_path / "luthier.db"
    sound = bytearray(file.read_bytes())
    for place in range(4096, len(sound), 4096):
        sound[place : place + 64] = b"\xff" * 64
    file.write_bytes(sound)
    with pytest.raises(RepairStore, match="damaged"):
        Store.open(folder=tmp_path).list()


def test_a_damaged_recipe_is_refused(tmp_path: Path) -> None:
    Store.open(folder=tmp_path).create("a", "tag", {"x": 1}, {})
    with sqlite3.connect(tmp_path / "luthier.db") as connection:
        connection.execute("UPDATE luthier_runs SET recipe = '{\"x\":'")
    connection.close()
    with pytest.raises(RepairStore, match="not JSON"):
        Store.open(folder=tmp_path).list()


def test_a_full_disk_keeps_what_was_recorded(tmp_path: Path) -> None:
    store = Store.open(folder=tmp_path)
    run = store.create("a", "tag", {"x": 1}, {})

    def fill(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA max_page_count=1")

    # SQLite itself then says that the disk is full.
    event.listen(store._database.engine, "connect", fill)
    with pytest.raises(FreeDisk, match="disk is full"):
        store.set_facts(run.id, {"pad": "x" * 1_000_000})
    with pytest.raises(FreeDisk):
        store.record_curve(run.id, [CurvePoint(i, 0.0, "loss", 0.0) for i in range(50_000)])
    with pytest.raises(FreeDisk):
        store.create("b", "tag", {"pad": "x" * 1_000_000}, {})
    assert [path.name for path in (tmp_path / "runs").iterdir()] == [run.id]
    again = Store.open(folder=tmp_path)
    assert again.list() == [run]
    assert again.curve(run.id) == []


def test_a_full_disk_for_the_folder_leaves_no_run(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = store.create("a", "tag", {}, {})

    def full(path: Path, *_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "mkdir", full)
        with pytest.raises(FreeDisk):
            store.create("b", "tag", {}, {})
    assert store.list() == [run]


def test_a_writer_waits_for_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("luthier.store.sql.database.BUSY_SECONDS", 0)
    store = Store.open(folder=tmp_path)
    run = store.create("a", "tag", {}, {}).id
    holder = sqlite3.connect(tmp_path / "luthier.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    try:
        # Readers go on, a writer says who is in the way instead of writing.
        assert store.find(run).id == run
        with pytest.raises(RepairStore, match="locked"):
            store.set_facts(run, {"b": 2})
    finally:
        holder.close()
    store.set_facts(run, {"b": 2})
    assert store.find(run).facts == {"b": 2}


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises((FreeDisk, OSError), match="file"):
        Store.open(folder=tmp_path / "file" / "home")
