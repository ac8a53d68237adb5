"""A budget below one whole run: the upper layers are searched, then the recipe is trained once."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from stage_place import Place, write_rows

from luthier.core.errors import LowerLearningRate, ResumeLater
from luthier.core.types import Task
from luthier.recipe.load import load_recipe
from luthier.search.budget import Limit
from luthier.search.history.log import StoredLog
from luthier.search.parameter import Choice
from luthier.search.space import Space
from luthier.search.trial import UNITS, Config, Observation, Slice
from luthier.stages import api, planning
from luthier.stages.tuning.configured import DEPTH
from luthier.stages.tuning.shallow import depth_of
from luthier.stages.tuning.shared import SharedBase
from luthier.store.store import Store
from tiny import task_rows

BUDGET = {"tune.budget": "20s", "tune.seeds": 0, "train.max_steps": 16}


@pytest.fixture
def place(bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A machine on which a run of all layers is expected to take an hour, of fewer a second."""

    def estimate(self: SharedBase, config: Config) -> planning.Costs:
        seconds = 3600.0 if config.get("depth") == "all" else 1.0
        return planning.Costs(10.0, seconds, 8)

    monkeypatch.setattr(SharedBase, "estimate", estimate)
    rows = task_rows(Task.CLASSIFY, 56)
    write_rows(tmp_path / "train.jsonl", rows[:48])
    write_rows(tmp_path / "test.jsonl", rows[48:])
    return Place(tmp_path, Store.open(folder=tmp_path / "home"), bert)


def test_trials_adapt_the_upper_layers_and_the_recipe_is_trained_with_what_they_find(
    place: Place,
) -> None:
    result = place.run(BUDGET)
    told: dict[str, Any] = result.search or {}
    *trials, whole = told["trials"]
    assert len(trials) > 1 and {t["config"]["depth"] for t in trials} == {"third"}
    assert all(t["parent"] is None for t in told["trials"])
    assert whole["source"] == "whole" and whole["config"]["depth"] == "all"
    assert whole["curve"][-1][0] == UNITS
    assert told["one_run"] == whole["seconds"]
    if told["winner"] == "whole":
        assert load_recipe(result.path / "recipe.yaml").adapter.top_layers is None
    assert "with what was found" in (result.path / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("budget", "whole", "part", "depth", "left"),
    [
        ("600s", 100.0, 20.0, "all", 600.0),
        ("600s", 300.0, 20.0, "third", 300.0),
        ("600s", 200.0, 20.0, "third", 400.0),
        ("600s", 300.0, 150.0, "third", 600.0),
        ("600s", 3000.0, 100.0, "third", 600.0),
        ("600s", 3000.0, 500.0, "all", 600.0),
        ("6x one run", 100.0, 20.0, "all", 6.0),
        ("2x one run", 100.0, 20.0, "third", 1.0),
        ("9 trials", 3000.0, 20.0, "all", 9),
    ],
)
def test_the_upper_layers_are_searched_where_too_few_whole_runs_fit(
    budget: str, whole: float, part: float, depth: str, left: float
) -> None:
    space = Space((Choice(DEPTH, ("all", "third"), (0.5, 0.5), "all"),))
    shop = SimpleNamespace(
        network=SimpleNamespace(stack=SimpleNamespace(layers=6)), recipe=SimpleNamespace(tune=None)
    )

    def estimate(config: Config) -> planning.Costs:
        return planning.Costs(10.0, whole if config[DEPTH] == "all" else part, 8)

    costs: Any = SimpleNamespace(shared=SimpleNamespace(shop=shop), estimate=estimate)
    found = depth_of(space, Limit.read(budget), costs, [])
    assert found.space.default[DEPTH] == depth
    assert left in (found.limit.seconds, found.limit.runs, found.limit.trials)
    assert (found.own == "all") == (depth == "third")


def test_a_run_that_is_cut_off_goes_on_with_the_whole_run(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    advance, calls = SharedBase.advance, []

    def stopping(self: SharedBase, piece: Slice) -> Observation:
        calls.append(piece)
        if piece.trial == "whole" and piece.until == 4 and sum(p == piece for p in calls) == 1:
            raise KeyboardInterrupt
        return advance(self, piece)

    monkeypatch.setattr(SharedBase, "advance", stopping)
    with pytest.raises(ResumeLater):
        place.run(BUDGET)
    run = place.store.find("last")
    before = len(StoredLog(place.store, run.id, run.path / "search" / "rows").trials())
    result = api.resume(run.id, place.store)
    assert result.search is not None and len(result.search["trials"]) == before + 1
    whole = [p.until for p in calls if p.trial == "whole"]
    assert whole == [1, 2, 4, 1, 2, 4, 8, 16]


def test_who_stops_the_search_gets_the_best_of_the_upper_layers(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    advance = SharedBase.advance

    def stopping(self: SharedBase, piece: Slice) -> Observation:
        if piece.trial == "t001":
            raise KeyboardInterrupt
        return advance(self, piece)

    monkeypatch.setattr(SharedBase, "advance", stopping)
    result = place.run(BUDGET)
    assert result.search is not None and result.search["stopped"] == "stopped by you"
    assert all(t["source"] != "whole" for t in result.search["trials"])
    assert load_recipe(result.path / "recipe.yaml").adapter.top_layers == 1


def test_values_that_diverge_on_all_layers_give_way_to_the_recipes_own(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    advance = SharedBase.advance

    def diverging(self: SharedBase, piece: Slice) -> Observation:
        if piece.trial == "whole":
            raise LowerLearningRate("trial whole", "the loss is not finite")
        return advance(self, piece)

    monkeypatch.setattr(SharedBase, "advance", diverging)
    monkeypatch.setattr("luthier.stages.tuning.tune._finals", _first_found)
    told = place.run(BUDGET).search
    assert told is not None and told["trials"][-1]["id"] == "whole-t000"


def _first_found(search: Any, controller: Any, seeds: int) -> Any:
    """Finals in which the first trial after the recipe wins."""
    from luthier.search.choosing.final import Choice as Chosen
    from luthier.search.finals import Finals

    class First(Finals):
        def decide(self, trials: Any, posterior: Any) -> Chosen:
            choice = super().decide(trials, posterior)
            other = next(t for t in trials[1:] if t.curve)
            won = self._candidate([other], posterior)
            return Chosen(won, choice.default, choice.against_default, "it was told to")

    confirm = search.shared.confirm
    return First(
        search.problem, controller.executor, search.log,
        lambda t: confirm(Slice(t.id, t.config, t.unit, t.seed, t.parent)), lambda: False, 0,
    )  # fmt: skip
