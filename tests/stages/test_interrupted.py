"""Runs that are stopped, killed or run out of disk: nothing half-written, and they go on."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from safetensors import SafetensorError
from stage_place import Place, is_whole, write_rows

from luthier.core.errors import CheckRun, FreeDisk, ResumeLater
from luthier.core.progress import Silence
from luthier.core.types import Task
from luthier.search.history.log import StoredLog
from luthier.stages import api
from luthier.stages.parts import keeping
from luthier.store.store import Store
from tiny import task_rows


class Interrupt(Silence):
    """Ctrl-C at the second update, or at so many steps of another part of the run."""

    def __init__(self, part: str = "training", steps: int = 2) -> None:
        self._part, self._steps, self._there, self._seen = part, steps, False, 0

    def start(self, name: str, total: int | None = None, unit: str = "") -> None:
        """Notes when the part begins."""
        self._there = name == self._part

    def advance(self, units: int = 1, note: str = "") -> None:
        """Counts its steps."""
        self._seen += self._there
        if self._there and self._seen == self._steps:
            signal.raise_signal(signal.SIGINT)


@pytest.fixture(autouse=True)
def heard() -> Iterator[None]:
    """Ctrl-C is heard also where the tests were started in the background, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_data_changed_between_run_and_resume(place: Place) -> None:
    with pytest.raises(ResumeLater) as caught:
        api.run(place.recipe(), place.folder, Interrupt(), place.store)
    record = place.store.find("last")
    assert record.status == "interrupted"
    assert f"luthier runs resume {record.id}" in caught.value.advice
    file = place.folder / "train.jsonl"
    before = file.read_bytes()
    write_rows(file, task_rows(Task.CLASSIFY, 40, seed=5))
    with pytest.raises(CheckRun, match="the data file changed since the run began") as refused:
        api.resume(record.id, place.store)
    assert record.id in refused.value.place and "restore it" in refused.value.advice
    assert not (record.path / "model").exists()
    file.write_bytes(before)
    assert is_whole(place.store.find(api.resume(record.id, place.store).run))


def test_stopped_in_the_last_evaluation(place: Place) -> None:
    earlier = place.run()
    with pytest.raises(ResumeLater, match="what was trained is saved") as caught:
        api.run(place.recipe(), place.folder, Interrupt("the last evaluation", 1), place.store)
    record = place.store.find("last")
    assert record.status == "interrupted"
    assert caught.value.advice == f"luthier runs resume {record.id}"
    again = api.resume(record.id, place.store)
    assert is_whole(place.store.find(again.run)) and again.metrics == earlier.metrics


def _disk_full(*_: Any, **__: Any) -> None:
    # What the writer of tensors says when the disk is full: no OSError.
    raise SafetensorError(
        "Error while serializing: I/O error: No space left on device (os error 28)"
    )


def test_disk_full_while_saving(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    earlier = place.run()
    with monkeypatch.context() as patched:
        patched.setattr(keeping, "save_file", _disk_full)
        error, record = place.refused()
    assert isinstance(error, FreeDisk) and "model" in error.place
    assert "free space" in error.advice
    assert not list(record.path.glob(".*"))
    assert is_whole(place.store.find(earlier.run))
    again = api.resume(record.id, place.store)
    assert is_whole(place.store.find(again.run))
    assert again.metrics == earlier.metrics


def _child(place: Place, home: str, moment: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("stage_child.py")), home, moment],
        cwd=place.folder, env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip


def _demand_killed(child: subprocess.Popen[bytes]) -> None:
    _, errors = child.communicate(timeout=120)
    assert child.returncode == -signal.SIGKILL, errors.decode()[-2000:]


@pytest.mark.slow
def test_killed(place: Place) -> None:
    earlier = place.run()
    (place.folder / "recipe.json").write_text(json.dumps(place.content()), encoding="utf-8")
    children = [_child(place, "home", "saving"), _child(place, "other", "training")]
    for child in children:
        _demand_killed(child)
    for home, has_state in (("home", True), ("other", False)):
        store = Store.open(folder=place.folder / home)
        record = store.find("last")
        assert record.status == "interrupted" and "ended" in record.reason
        assert not (record.path / "model").exists()
        assert (record.path / "checkpoint" / "state.json").is_file() == has_state
        again = api.resume(record.id, store)
        assert again.run == record.id and is_whole(store.find(again.run))
        assert again.metrics == earlier.metrics
        assert not list(record.path.glob(".*"))
    assert is_whole(place.store.find(earlier.run))


@pytest.mark.slow
@pytest.mark.parametrize("slices", [3, 5], ids=["within a trial", "in the first of another"])
def test_killed_while_searching(slices: int, place: Place) -> None:
    content = place.content() | {"tune": {"budget": "4 trials", "seeds": 1}}
    content["train"] |= {"max_steps": 16}
    (place.folder / "recipe.json").write_text(json.dumps(content), encoding="utf-8")
    _demand_killed(_child(place, "home", f"searching{slices}"))
    store = Store.open(folder=place.folder / "home")
    record = store.find("last")
    assert record.status == "interrupted"
    log = StoredLog(store, record.id, record.path / "search" / "rows")
    before = {t.id: [(o.unit, o.score, o.loss) for o in t.curve] for t in log.trials()}
    assert len(before) == 1 + (slices == 5)
    assert sum(len(curve) for curve in before.values()) == slices
    again = api.resume(record.id, store)
    assert again.run == record.id and is_whole(store.find(again.run))
    after = {t.id: [(o.unit, o.score, o.loss) for o in t.curve] for t in log.trials()}
    for trial, curve in before.items():
        # Nothing that was measured is measured again, or lost.
        assert after[trial][: len(curve)] == curve
    for curve in after.values():
        units = [unit for unit, *_ in curve]
        assert units == sorted(set(units))
    assert again.search is not None and again.search["winner"] in after


def test_data_changed_before_any_state_was_saved(place: Place) -> None:
    with pytest.raises(ResumeLater):
        api.run(place.recipe(), place.folder, Interrupt(), place.store)
    record = place.store.find("last")
    shutil.rmtree(record.path / "checkpoint")
    write_rows(place.folder / "train.jsonl", task_rows(Task.CLASSIFY, 40, seed=5))
    with pytest.raises(CheckRun, match="the data file changed"):
        api.resume(record.id, place.store)
