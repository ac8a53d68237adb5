"""`evaluate.track`: explanations followed during a run, which stays what it is without them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file
from stage_place import Place, is_whole, write_rows
from test_before_after import rows

from luthier.core.types import Task
from luthier.recipe.track import Track
from luthier.stages import api
from luthier.stages.explaining.tracking.looks import steps_of, work_of
from luthier.stages.explaining.tracking.part import track_part
from luthier.stages.explaining.tracking.track import FILE
from luthier.store.store import Store
from luthier.train.watchers.checkpoint import KeepState
from tiny import task_rows

LEARNT = {
    "train.max_steps": 150, "train.learning_rate": 3e-3, "data.allow_leakage": True,
    "train.batch_size": 16, "train.patience": None,
}  # fmt: skip
TRACK = {"evaluate.track.rows": 6, "evaluate.track.words": 2, "evaluate.track.looks": 4}


@pytest.fixture(scope="module")
def planted(bert: Path, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Rows with a word that gives the label away."""
    folder = tmp_path_factory.mktemp("tracked")
    write_rows(folder / "train.jsonl", rows(300, 1, 0.6))
    write_rows(folder / "test.jsonl", rows(60, 2, 0.6))
    return Place(folder, Store.open(folder=folder / "home"), bert)


@pytest.fixture(scope="module")
def tracked(planted: Place) -> api.RunResult:
    """A run that was followed."""
    return planted.run(LEARNT | TRACK)


def _told(run: api.RunResult) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run.path / FILE).read_text(encoding="utf-8"))
    return found


def test_a_shortcut_is_seen_to_grow(planted: Place, tracked: api.RunResult) -> None:
    told = _told(tracked)
    assert [one["step"] for one in told["looks"]] == told["steps"] == [0, 50, 100, 150]
    assert told["words"][0]["word"] == "tiger" and told["words"][0]["label"] == "bad"
    first, last = (told["looks"][i]["effects"][0] for i in (0, -1))
    assert last["effect"] > first["effect"] + 0.5 and last["low"] > 0
    assert told["shortcuts"][0]["verdict"] == "shortcut"
    assert 0 < told["looks"][-1]["moved"]["value"] <= 1
    assert "tiger" not in json.dumps(told["looks"])
    assert is_whole(planted.store.find(tracked.run))
    page = tracked.report.read_text(encoding="utf-8")
    assert 'id="track"' in page and "&#39;tiger&#39;" in page and "<script" not in page


def test_following_changes_nothing_of_the_training(planted: Place, tracked: api.RunResult) -> None:
    plain = planted.run(LEARNT)
    assert not (plain.path / FILE).exists()
    assert 'id="track"' not in plain.report.read_text(encoding="utf-8")
    for name in ("adapter/adapter_model.safetensors", "head.safetensors"):
        one, other = (load_file(str(r.path / "model" / name)) for r in (plain, tracked))
        assert all(np.array_equal(one[key], other[key]) for key in one)
    sealed = [planted.store.find(r.run).facts["openings"] for r in (plain, tracked)]
    assert len(sealed[0]) == len(sealed[1])


def test_a_training_that_goes_on_compares_with_its_own_beginning(
    planted: Place, tracked: api.RunResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, after = _told(tracked), KeepState.after

    def interrupted(self: KeepState, state: Any, report: Any) -> Any:
        if state.step == 70:
            self._asked = True
        return after(self, state, report)

    monkeypatch.setattr(KeepState, "after", interrupted)
    with pytest.raises(Exception, match="stopped by you"):
        planted.run(LEARNT | TRACK)
    monkeypatch.undo()
    stopped = planted.store.find("last")
    done = api.resume(stopped.id, planted.store)
    assert _told(done) == whole


def test_a_tiny_training_is_left_alone_and_says_so(place: Place) -> None:
    made = place.run({"evaluate.track.rows": 4})
    assert not (made.path / FILE).exists()
    assert "were not followed" in made.report.read_text(encoding="utf-8")


def test_a_model_that_writes_is_followed_without_words(llama: Path, tmp_path: Path) -> None:
    write_rows(tmp_path / "train.jsonl", task_rows(Task.INSTRUCT, 60))
    write_rows(tmp_path / "test.jsonl", task_rows(Task.INSTRUCT, 8, seed=9))
    there = Place(tmp_path, Store.open(folder=tmp_path / "home"), llama)
    more = {"task": "instruct", "train.max_steps": 40, "evaluate.track.rows": 2}
    told = _told(there.run(more | {"evaluate.track.looks": 3, "evaluate.track.share": 0.2}))
    assert told["words"] == [] and len(told["looks"]) == 3


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"tune.seeds": 2}, "one of tune and track"),
        ({"safety.privacy.epsilon": 3.0}, "safety.privacy"),
        ({"fewshot.enabled": "on"}, "few labels"),
    ],
)
def test_what_does_not_go_together_is_refused(
    changes: dict[str, Any], says: str, place: Place
) -> None:
    error, _ = place.refused({"evaluate.track.rows": 4} | changes)
    assert says in str(error) and error.place == "evaluate.track"


@pytest.mark.parametrize("share", [0.02, 0.1, 0.2])
@pytest.mark.parametrize("steps", [1, 30, 400, 9000])
def test_looks_stay_within_their_share_and_hold_both_ends(steps: int, share: float) -> None:
    work = work_of(steps, 32, (6, 6, 6), 12, 120)
    found = steps_of(steps, work, Track().looks, share)
    assert len(found) * work.look <= share * work.training
    assert not found or (found[0] == 0 and found[-1] == steps and len(found) >= 3)
    assert steps < 9000 or found


def test_of_no_looks_the_page_says_so() -> None:
    part = track_part({"looks": [], "rows": [1, 2], "words": [], "shortcuts": []})
    assert "not followed" in part.sentences[0] and part.lines == ()
