"""What is given up of the shelf, and what never is."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
from store_children import finish, start

from luthier.store.artefacts import Artefacts
from luthier.store.manifest import Manifest
from luthier.store.store import Store

_MAKE = """
artefacts, made = Artefacts(folder), Path(sys.argv[3])
for number in range(int(sys.argv[4])):
    kept = artefacts.shelve(f"stage-{number}", made)
    os.utime(kept.parent, (number, number))
"""
_HOLD = """
print(Artefacts(folder).shelf("stage-0"), flush=True)
import time
time.sleep(60)
"""
SIZE = 3000


@pytest.fixture
def made(tmp_path: Path) -> Path:
    folder = tmp_path / "made"
    folder.mkdir()
    (folder / "tokens").write_bytes(b"t" * SIZE)
    return folder


@pytest.fixture
def home(tmp_path: Path, made: Path) -> Path:
    """A store whose shelf was filled by a process that has ended, `stage-0` the oldest."""
    folder = tmp_path / "home"
    finish(start(_MAKE, None, folder, str(made), "4"))
    return folder


def _kept(home: Path) -> list[str]:
    return sorted(path.name for path in (home / "artefacts" / "shelf").glob("*/*"))


def test_the_least_recently_used_goes_first(home: Path) -> None:
    sizes = Artefacts(home).tidy(10**9)
    assert (sizes.removed, sizes.kept) == (0, 4)
    each = sizes.kept_bytes // 4
    assert each > SIZE
    # Looked at by a process that then ended, the oldest becomes the newest.
    finish(start("Artefacts(folder).shelf('stage-0')", None, home))
    done = Artefacts(home).tidy(2 * each)
    assert (done.removed, done.freed_bytes, done.kept, done.kept_bytes) == (
        2,
        2 * each,
        2,
        2 * each,
    )
    assert _kept(home) == ["stage-0", "stage-3"]


def test_what_a_living_process_uses_stays(home: Path) -> None:
    holder = start(_HOLD, None, home)
    assert holder.stdout is not None
    try:
        held = Path(holder.stdout.readline().strip())
        assert Artefacts(home).tidy(0).removed == 3
        assert _kept(home) == ["stage-0"]
        assert (held / "tokens").read_bytes() == b"t" * SIZE
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.communicate()
    assert Artefacts(home).tidy(0).removed == 1
    assert _kept(home) == []


def test_what_this_process_took_stays(home: Path, made: Path) -> None:
    artefacts = Artefacts(home)
    taken = artefacts.shelf("stage-1")
    fresh = artefacts.shelve("stage-9", made)
    assert artefacts.tidy(0).removed == 3
    assert taken is not None and taken.is_dir() and fresh.is_dir()


def test_the_lease_of_another_machine_holds_for_a_week(home: Path) -> None:
    lease = home / "artefacts" / "leases" / "stage-2" / "1@elsewhere"
    lease.write_text("once")
    assert Artefacts(home).tidy(0).removed == 3
    past = time.time() - 8 * 86_400
    os.utime(lease, (past, past))
    assert Artefacts(home).tidy(0).removed == 1


def test_what_runs_keep_is_not_touched(home: Path, made: Path) -> None:
    store = Store.open(folder=home)
    run = store.create("a", "tag", {}, {}).id
    key = store.artefacts.put_folder(made)
    store.use(run, key)
    store.artefacts.tidy(0)
    assert store.artefacts.get(key).is_dir()
    assert store.find(run).path.is_dir()


def test_a_full_shelf_makes_room_by_itself(
    home: Path, made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("luthier.store.shelf.SHELF_BYTES", 0)
    Artefacts(home).shelve("stage-9", made)
    assert _kept(home) == ["stage-9"]


@pytest.mark.parametrize("moment", ["rename", "rmtree"])
def test_a_kill_at_each_step_loses_nothing_else(home: Path, made: Path, moment: str) -> None:
    # The child dies by SIGKILL just before, and just after, the entry has left its place.
    body = """
import shutil, signal
def die(*_a, **_k):
    os.kill(os.getpid(), signal.SIGKILL)
if sys.argv[3] == "rename":
    Path.rename = die
else:
    shutil.rmtree = die
Artefacts(folder).tidy(0)
"""
    child = start(body, None, home, moment)
    child.communicate()
    assert child.returncode == -signal.SIGKILL
    assert len(_kept(home)) == (4 if moment == "rename" else 3)
    for name in _kept(home):
        assert Manifest.verify(home / "artefacts" / "shelf" / "st" / name) == []
    artefacts = Artefacts(home)
    assert (artefacts.shelve("stage-0", made) / "tokens").read_bytes() == b"t" * SIZE
    artefacts.tidy(0)
    assert _kept(home) == ["stage-0"]
    assert not list((home / "artefacts" / ".unfinished").iterdir())
