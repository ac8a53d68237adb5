"""A search on two workers of a real Ray cluster, one of which is killed during a slice."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import psutil
import pytest
from stage_place import Place, is_whole, write_rows

from luthier.core.errors import CheckRun, FixRecipe
from luthier.core.types import Task
from luthier.stages.tuning.scaling.worker import begin_worker
from tiny import task_rows

CHANGES = {
    "tune.executor": "ray",
    "tune.workers": 2,
    # So many are made in any case; fewer may end before, by what more is expected to bring.
    "tune.budget": "12 trials",
    "tune.seeds": 1,
    "train.max_steps": 32,
}


def advancing() -> list[psutil.Process]:
    """Workers below this process that advance a slice now."""
    found = []
    for child in psutil.Process().children(recursive=True):
        try:
            if "Worker.advance" in " ".join(child.cmdline()):
                found.append(child)
        except psutil.Error:
            continue
    return found


class Killer(threading.Thread):
    """Kills the first worker that advances a slice once a trial has a state to go on from."""

    def __init__(self, runs: Path) -> None:
        super().__init__(daemon=True)
        self.runs, self.killed, self.over = runs, 0, False

    def run(self) -> None:
        """Looks until somebody was killed or nobody needs it any more."""
        while not self.over and not self.killed:
            started = list(self.runs.glob("**/search/trials/*/state.json"))
            if started and (busy := advancing()):
                os.kill(busy[0].pid, signal.SIGKILL)
                self.killed = busy[0].pid
            time.sleep(0.01)


@pytest.mark.slow
def test_a_search_survives_the_death_of_a_worker(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ray", reason="the extra `ray` is not installed")
    write_rows(place.folder / "train.jsonl", task_rows(Task.CLASSIFY, 160, seed=7))
    killer = Killer(place.folder / "home")
    killer.start()
    result = place.run(CHANGES)
    killer.over = True
    killer.join()
    assert killer.killed, "no worker was met at work"
    assert result.search is not None
    record = place.store.find(result.run)
    assert is_whole(record) and not (record.path / "search").exists()
    actions = [d["action"] for d in place.store.studies.decisions(record.id)]
    assert "failed" in actions, "the lost slice was not noted"
    trials = place.store.studies.trials(record.id)
    assert len(trials) >= 4 and all(t.status != "failed" for t in trials)
    units: dict[str, list[int]] = {}
    for point in place.store.studies.points(record.id):
        units.setdefault(point.trial, []).append(point.unit)
    assert units["t000"] == [1, 2, 4, 8, 16], "a slice of the default was done twice or never"
    assert not advancing()


def test_more_workers_need_the_cluster(place: Place) -> None:
    for changes in ({"tune.workers": 2}, {"tune.address": "10.0.0.1:6379"}):
        with pytest.raises(FixRecipe, match="executor: ray"):
            place.recipe(changes)


def test_a_worker_names_the_folder_it_cannot_reach(tmp_path: Path) -> None:
    places = dict.fromkeys(("here", "base", "home"), str(tmp_path))
    lost = str(tmp_path / "elsewhere")
    with pytest.raises(CheckRun, match="shared disk") as met:
        begin_worker({}, {**places, "run": lost}, "accuracy", "float32")
    assert met.value.place == lost
