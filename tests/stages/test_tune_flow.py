"""A search from the recipe to the report, on every kind of task, and what it leaves behind."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from stage_place import Place, is_whole, write_rows

from luthier.cli.views.search import history_facts
from luthier.core.errors import FixRecipe, ResumeLater
from luthier.core.types import Task
from luthier.recipe.load import load_recipe
from luthier.search.history.log import StoredLog
from luthier.search.history.past import History
from luthier.search.trial import UNITS, Observation, Slice
from luthier.stages import api
from luthier.stages.tuning.shared import SharedBase
from luthier.store.store import Store
from tiny import task_rows

KINDS: dict[str, Mapping[str, Any]] = {
    "classify": {},
    "instruct": {"tune.maximize": "rougeL", "evaluate.generate_rows": 4},
    "tag": {},
    "regress": {"tune.maximize": ["mae", "parameters"]},
}


@dataclass(frozen=True)
class Tuned:
    """A finished search of three trials."""

    place: Place
    task: Task
    result: api.RunResult

    @property
    def told(self) -> dict[str, Any]:
        """The story it left."""
        content = (self.result.path / "search.json").read_text(encoding="utf-8")
        found: dict[str, Any] = json.loads(content)
        return found


def _place(task: Task, model: Path, folder: Path) -> Place:
    rows = task_rows(task, 56)
    write_rows(folder / "train.jsonl", rows[:48])
    write_rows(folder / "test.jsonl", rows[48:])
    return Place(folder, Store.open(folder=folder / "home"), model)


@pytest.fixture(scope="module", params=list(KINDS))
def tuned(request: pytest.FixtureRequest, bert: Path, llama: Path, tmp_path_factory: Any) -> Tuned:
    task = Task(request.param)
    place = _place(task, llama if task.generates else bert, tmp_path_factory.mktemp("tune"))
    usual = {"task": task.value, "tune.budget": "3 trials", "tune.seeds": 1}
    return Tuned(place, task, place.run(usual | dict(KINDS[request.param])))


def test_it_ends_with_a_measured_model_and_its_story(tuned: Tuned) -> None:
    result, told = tuned.result, tuned.told
    assert result.metrics["tuned"] and is_whole(tuned.place.store.find(result.run))
    assert told == json.loads(json.dumps(result.search))
    first = told["trials"][0]
    assert (first["source"], first["curve"][-1][0]) == ("default", UNITS)
    assert len([t for t in told["trials"] if t["seed"] == 0]) <= 3
    wanted = KINDS[tuned.task.value].get("tune.maximize", told["metric"])
    assert told["metric"] == (wanted if isinstance(wanted, str) else wanted[0])
    assert told["winner"] in {t["id"] for t in told["trials"]} and told["advice"]


def test_the_report_has_the_search(tuned: Tuned) -> None:
    text = tuned.result.report.read_text(encoding="utf-8")
    assert 'id="search"' in text and tuned.told["advice"].split(":")[0] in text
    for trial in tuned.told["trials"]:
        assert f'<th scope="row">{trial["id"]}' in text
    assert ("Trade-offs" in text) == (len(tuned.told["objectives"]) > 1)


def test_the_recipe_it_leaves_is_the_winners(tuned: Tuned) -> None:
    recipe = load_recipe(tuned.result.path / "recipe.yaml")
    assert recipe.tune is None
    winner = next(t for t in tuned.told["trials"] if t["id"] == tuned.told["winner"])
    assert recipe.train.batch_size == winner["config"]["train.batch_size"]


def test_the_study_is_kept_and_becomes_history(tuned: Tuned) -> None:
    store, run = tuned.place.store, tuned.result.run
    curves = {t["id"]: t["curve"] for t in tuned.told["trials"]}
    kept: dict[str, list[list[float]]] = {}
    for point in store.studies.points(run):
        kept.setdefault(point.trial, []).append([point.unit, point.score])
    assert kept == {name: curve for name, curve in curves.items() if curve}
    facts = history_facts(History.open(store, starter=False))
    mine = next(f for f in facts if f["task"] == run)
    assert mine["kind"] == tuned.task.value and mine["metric"] == tuned.told["metric"]
    assert mine["finished"] >= 1 and mine["config"]


def test_nothing_of_the_work_is_left(tuned: Tuned) -> None:
    assert not (tuned.result.path / "search").exists()
    assert not list(tuned.result.path.rglob("*.tmp"))


def test_an_interrupted_search_goes_on(
    bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = _place(Task.CLASSIFY, bert, tmp_path)
    changes = {"tune.budget": "2 trials", "tune.seeds": 0, "train.max_steps": 16}
    advance, calls = SharedBase.advance, []

    def stopping(self: SharedBase, piece: Slice) -> Observation:
        """Ctrl-C while the third slice is under way."""
        calls.append(piece)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return advance(self, piece)

    monkeypatch.setattr(SharedBase, "advance", stopping)
    with pytest.raises(ResumeLater):
        place.run(changes)
    run = place.store.find("last")
    assert run.status == "interrupted"
    left = StoredLog(place.store, run.id, run.path / "search" / "rows").trials()
    assert [o.unit for o in left[0].curve] == [1, 2]
    result = api.resume(run.id, place.store)
    assert [p.until for p in calls if p.trial == "t000"] == [1, 2, 4, 4, 8, 16]
    assert result.search is not None and result.search["trials"][0]["status"] == "finished"
    whole = place.run(changes)
    assert whole.search is not None
    assert result.search["trials"][0]["curve"] == whole.search["trials"][0]["curve"]


@pytest.mark.parametrize(("budget", "soft"), [("2x one run", []), ("12x one run", [0.3])])
def test_with_much_to_spend_a_soft_start_is_tried_to_its_end(
    budget: str, soft: list[float], bert: Path, tmp_path: Path
) -> None:
    place = _place(Task.CLASSIFY, bert, tmp_path)
    whole = {"train.probe_start": 1.0, "tune.budget": budget, "tune.seeds": 0}
    told = place.run(whole).search
    assert told is not None
    opened = [t for t in told["trials"] if t["source"] == "opening"]
    assert [t["config"]["train.probe_start"] for t in opened] == soft
    assert all(t["status"] == "finished" for t in opened)


def test_a_condition_that_nothing_meets_names_the_closest(bert: Path, tmp_path: Path) -> None:
    place = _place(Task.CLASSIFY, bert, tmp_path)
    error, record = place.refused({"tune.budget": "2 trials", "tune.subject_to": "latency_ms <= 0"})
    assert isinstance(error, FixRecipe) and "closest" in str(error)
    assert record.status == "failed"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"tune.subject_to": "epsilon <= 8"}, "differential privacy"),
        ({"tune.maximize": "acuracy"}, "accuracy"),
        ({"tune.budget": "soon"}, "20min"),
        ({"tune.space": {"batch_sise": [8, 16]}}, "batch_size"),
        ({"tune.space": {"learning_rate": {"low": 0.5, "high": 1.0, "log": True}}}, "outside"),
        ({"tune.sources": ["priors"]}, "prior"),
    ],
)
def test_a_search_that_cannot_be_is_refused_at_once(
    changes: dict[str, Any], words: str, bert: Path, tmp_path: Path
) -> None:
    place = _place(Task.CLASSIFY, bert, tmp_path)
    error, _ = place.refused(changes)
    assert words in str(error)
