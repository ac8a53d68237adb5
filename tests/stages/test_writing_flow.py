"""Few rows and a model that writes: ways are tried on rows held out, one is kept, it answers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from stage_place import Place, is_whole, write_rows

from luthier.core.errors import FixRecipe
from luthier.core.progress import Silence
from luthier.core.types import Task
from luthier.fewshot.choosing.evidence import Gain
from luthier.fewshot.showing import load
from luthier.fewshot.writing import NAMES, USUAL, WAYS
from luthier.recipe.load import load_recipe, recipe_from_dict
from luthier.stages import api
from luthier.stages.parts.keeping import open_tuned
from luthier.stages.workshop import set_up
from luthier.stages.writing import climb as climbing
from luthier.stages.writing import trial as trying
from luthier.stages.writing.trial import Trial
from luthier.store.records import RunRecord
from tiny import task_rows


def few(place: Place, llama: Path, rows: int = 20, **fewshot: Any) -> dict[str, Any]:
    """A recipe of a few conversations for which ways are tried."""
    write_rows(place.folder / "chat.jsonl", task_rows(Task.INSTRUCT, rows))
    write_rows(place.folder / "held.jsonl", task_rows(Task.INSTRUCT, 8, seed=9))
    own = {f"fewshot.{name}": value for name, value in fewshot.items()}
    return {
        "task": "instruct", "model.id": str(llama), "data.train": "chat.jsonl",
        "data.validation": "held.jsonl", "data.test": "held.jsonl", "data.allow_leakage": True,
        "fewshot.enabled": "on", **own,
    }  # fmt: skip


def ran(place: Place, changes: Mapping[str, Any]) -> tuple[RunRecord, dict[str, Any]]:
    """The record of a run, and its ladder.json."""
    record = place.store.find(place.run(changes).run)
    return record, json.loads((record.path / "ladder.json").read_text(encoding="utf-8"))


def test_every_way_is_measured_and_told(place: Place, llama: Path) -> None:
    record, told = ran(place, few(place, llama))
    assert [score["rung"] for score in told["scores"]] == list(NAMES)
    assert told["metric"] == "bits_per_byte" and told["rows"] == 20 and told["folds"] == 3
    assert is_whole(record) and (record.path / "model" / "adapter").is_dir()
    page = (record.path / "report.html").read_text(encoding="utf-8")
    assert all(way.what in page for way in WAYS) and "What to label next" not in page
    assert not any(d["accepted"] and not d["gain"] for d in told["decisions"])
    held = next(d["against"] for d in told["decisions"])
    assert held == USUAL


@pytest.mark.parametrize("name", NAMES)
def test_the_way_that_is_taken_answers_as_it_was_measured(
    place: Place, llama: Path, name: str
) -> None:
    record, told = ran(place, few(place, llama, rungs=[name]))
    assert told["rung"] == name and not told["scores"], "one way needs no comparison"
    metrics = json.loads((record.path / "metrics.json").read_text(encoding="utf-8"))
    found = api.evaluate(record.id, "held.jsonl", place.store, base_folder=place.folder)
    for metric in ("bits_per_byte", "rougeL"):
        assert found["metrics"][metric] == pytest.approx(metrics["tuned"][metric], rel=1e-4)
    same = metrics["tuned"]["bits_per_byte"] == pytest.approx(metrics["base"]["bits_per_byte"])
    assert same == (name == "as-is")
    assert len(list(api.predict(record.id, [{"prompt": "what now"}], place.store))) == 1
    kept = load(record.path / "model")
    assert (kept is not None) == (name == "shown")
    if kept is not None:
        tuned = open_tuned(record.path, Silence())
        assert tuned.shown is not None and len(kept.questions) == 20
        asked = tuned.shown.before([{"role": "user", "content": kept.questions[3]}])
        assert f"{kept.questions[3]}\n{kept.answers[3]}\n\n" in asked[-1]["content"]
    recipe = json.loads((record.path / "recipe.json").read_text(encoding="utf-8"))
    assert recipe["adapter"]["kind"] == ("ia3" if name == "t-few" else "lora")


def test_the_recipe_that_is_kept_gives_the_same_run_again(place: Place, llama: Path) -> None:
    for names in (["t-few"], ["against"], ["as-is", "trained"]):
        first = place.run(few(place, llama, rungs=names))
        kept = load_recipe(place.store.find(first.run).path / "recipe.yaml")
        again = api.run(kept, place.folder, store=place.store)
        assert again.metrics["tuned"] == first.metrics["tuned"]


@pytest.fixture
def trial(place: Place, llama: Path, tmp_path: Path) -> Trial:
    recipe = place.recipe(few(place, llama, enabled="on"))
    shop = set_up(recipe, place.folder, tmp_path, None, Silence())
    return Trial(shop, "bits_per_byte", Silence())


def test_trying_leaves_the_network_as_it_was_and_is_repeatable(trial: Trial) -> None:
    before = {n: p.detach().clone() for n, p in trial.shop.network.named_parameters()}
    for way in WAYS[1:]:
        first = trial.sums(way)
        assert (first == trial.sums(way)).all(), way.name
        assert first.shape[0] == 20
    after = dict(trial.shop.network.named_parameters())
    assert all(bool((after[name] == value).all()) for name, value in before.items())


def test_rows_of_a_group_are_held_out_together(place: Place, llama: Path, tmp_path: Path) -> None:
    changes = few(place, llama) | {"data.columns.group": "who"}
    rows = [row | {"who": f"p{i % 7}"} for i, row in enumerate(task_rows(Task.INSTRUCT, 21))]
    write_rows(place.folder / "chat.jsonl", rows)
    write_rows(place.folder / "held.jsonl", rows[:2])
    shop = set_up(place.recipe(changes), place.folder, tmp_path, None, Silence())
    trial = Trial(shop, "bits_per_byte", Silence())
    groups = shop.prepared.table.column("group")
    found = [{groups[int(row)] for row in fold} for fold in trial.folds]
    assert sum(map(len, found)) == 7 and len(set.union(*found)) == 7
    assert len(set(trial.units.tolist())) == 7


def test_one_that_is_proved_better_takes_the_place_and_no_other(
    place: Place, llama: Path, trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    sure, luck = Gain(0.2, 0.1, 0.3, 1.0, 0.05), Gain(0.2, -0.1, 0.5, 0.9, 0.2)
    names = iter(["as-is", "shown", "against", "t-few"])
    found = dict.fromkeys(NAMES, luck) | {"shown": sure}
    monkeypatch.setattr(climbing, "gain_of", lambda *_: found[next(names)])
    told = climbing.chosen_way(trial.shop, Silence())
    assert told["rung"] == "shown"
    assert [d["against"] for d in told["decisions"]] == [USUAL, USUAL, *["shown"] * 2]


def test_what_was_chosen_before_an_interruption_stays(
    trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = {"kind": "writing", "rung": "shown", "metric": "bits_per_byte", "scores": []}
    (trial.shop.folder / climbing.FILE).write_text(json.dumps(told), encoding="utf-8")
    monkeypatch.setattr(climbing, "chosen_way", lambda *_: pytest.fail("it was chosen already"))
    shop, trained = climbing.climb_writing(trial.shop, Silence(), resume=True)
    assert trained.ladder == told and shop.shown is not None


def test_a_person_who_stops_a_trial_stops_the_run(
    trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped = SimpleNamespace(interrupted=True)
    monkeypatch.setattr(trying, "trained_by", lambda *_: stopped)
    with pytest.raises(KeyboardInterrupt):
        trial.sums(WAYS[2])


def test_too_few_rows_and_too_little_time_keep_what_a_run_does(place: Place, llama: Path) -> None:
    _, told = ran(place, few(place, llama, rows=6))
    assert told["rung"] == USUAL and not told["scores"]
    assert {d["reason"] for d in told["decisions"]} == {"with 6 rows a difference would be chance"}
    _, told = ran(place, few(place, llama, minutes=0))
    assert told["rung"] == USUAL and all("allowed" in d["reason"] for d in told["decisions"])


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"fewshot.rungs": ["stacked"]}, "fewshot.rungs"),
        ({"fewshot.pool": "chat.jsonl"}, "fewshot.pool"),
        ({"fewshot.target": 0.5}, "fewshot.target"),
        ({"data.select.rows": 3}, "data.select"),
        ({"tune.budget": "2x one run"}, "tune"),
    ],
)
def test_wishes_that_cannot_be_kept(
    place: Place, llama: Path, changes: Mapping[str, Any], named: str
) -> None:
    error, _ = place.refused(few(place, llama) | changes)
    assert isinstance(error, FixRecipe) and error.place == named


def test_a_plan_of_few_rows_says_that_ways_can_be_tried(place: Place, llama: Path) -> None:
    changes = few(place, llama)
    content = {"task": "instruct", "model": {"id": str(llama)}, "data": {"train": "chat.jsonl"}}
    notes = api.plan(recipe_from_dict(content), place.folder).notes
    assert any("with fewshot.enabled: on other ways" in note for note in notes)
    for said in ({"fewshot": {"enabled": "off"}}, {"train": {"epochs": 1}}):
        notes = api.plan(recipe_from_dict(content | said), place.folder).notes
        assert not any("other ways" in note for note in notes)
    notes = api.plan(place.recipe(changes), place.folder).notes
    assert not any("other ways are tried too" in note for note in notes)


def test_a_plan_says_what_trying_costs(place: Place, llama: Path) -> None:
    notes = api.plan(place.recipe(few(place, llama)), place.folder).notes
    assert any("ways of writing are tried" in note for note in notes)
    assert not any("no parameter of the base is trained" in note for note in notes)
