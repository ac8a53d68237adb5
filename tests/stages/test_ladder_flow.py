"""Few labels and none: a run takes the ladder by itself, says so, and its model works."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from stage_place import Place, is_whole, nested, write_rows

from luthier.core.errors import FixData, FixRecipe, LuthierError
from luthier.core.progress import Silence
from luthier.recipe.load import load_recipe, recipe_from_dict
from luthier.stages import api
from luthier.store.records import RunRecord

WORDS = {
    "bank": ["card", "loan", "fee", "money"],
    "clinic": ["fever", "cough", "pain", "patient"],
    "travel": ["train", "ticket", "hotel", "beach"],
}
SAID = {
    "bank": "questions about a card, a loan or money",
    "clinic": "a patient with fever, cough or pain",
    "travel": "a train ticket or a hotel",
}


def made(count: int, start: int = 0) -> list[dict[str, str]]:
    """`count` rows of each class; no two texts are the same."""
    return [
        {"text": f"{words[i % 4]} {words[(i + 1) % 4]} number {start + i}", "label": label}
        for i in range(count)
        for label, words in WORDS.items()
    ]


class Told(Silence):
    """A listener that remembers what it was told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, message: str) -> None:
        """Kept."""
        self.lines.append(message)


def run(
    place: Place,
    rows: Sequence[Mapping[str, Any]],
    changes: Mapping[str, Any] | None = None,
    test: Sequence[Mapping[str, Any]] | None = None,
    told: Told | None = None,
) -> tuple[api.RunResult, RunRecord]:
    """A run of a recipe that names data and model only."""
    write_rows(place.folder / "few.jsonl", rows)
    data: dict[str, Any] = {"train": "few.jsonl"}
    if test is not None:
        write_rows(place.folder / "held.jsonl", test)
        data["test"] = "held.jsonl"
    content = {"data": data, "model": {"id": str(place.model)}, "evaluate": {"draws": 100}}
    for key, value in (changes or {}).items():
        section, name = key.split(".")
        content.setdefault(section, {})[name] = value
    recipe = recipe_from_dict(content)
    result = api.run(recipe, place.folder, told, store=place.store)
    return result, place.store.find(result.run)


def ladder(record: RunRecord) -> dict[str, Any]:
    """What the run kept of its choice."""
    found: dict[str, Any] = json.loads((record.path / "ladder.json").read_text(encoding="utf-8"))
    return found


def refused(place: Place, *given: Any, **more: Any) -> LuthierError:
    """The error a run ends with."""
    with pytest.raises(LuthierError) as caught:
        run(place, *given, **more)
    return caught.value


def test_few_labels_take_the_ladder(place: Place) -> None:
    told = Told()
    result, record = run(place, made(8), test=made(5, 100), told=told)
    assert is_whole(record)
    found = ladder(record)
    assert found["rung"] in {s["rung"] for s in found["scores"]}
    assert found["counts"] == dict.fromkeys(WORDS, 8)
    assert any(found["rung"] in line for line in told.lines)
    assert result.metrics["tuned"]["accuracy"] >= 0.8
    assert {"untouched model, linear probe", "majority class"} <= set(result.metrics["baselines"])
    page = (record.path / "report.html").read_text(encoding="utf-8")
    assert 'id="ladder"' in page and all(s["rung"] in page for s in found["scores"])
    kept = {file.name for file in (record.path / "model").iterdir()}
    assert {"ladder.safetensors", "ladder.json"} <= kept
    card = (record.path / "model" / "README.md").read_text(encoding="utf-8")
    assert "ladder.safetensors" in card and "head.safetensors" not in card
    assert not kept & {"weights", "head.safetensors"}
    assert ("adapter" in kept) == (found["rung"] == "tuned")


def test_its_model_answers_and_is_measured_as_in_the_run(place: Place) -> None:
    result, record = run(place, made(6), test=made(5, 100))
    again = api.evaluate(record.id, "held.jsonl", place.store, base_folder=place.folder)
    tuned = result.metrics["tuned"]
    for name in ("accuracy", "log_loss", "ece"):
        assert again["metrics"][name] == pytest.approx(tuned[name], abs=1e-4)
    answers = list(api.predict(record.id, [{"text": "loan fee"}, {"text": "cough"}], place.store))
    assert [answer["label"] for answer in answers] == ["bank", "clinic"]


def test_a_finished_recipe_gives_the_same_run_again(place: Place) -> None:
    result, record = run(place, made(6), test=made(5, 100))
    written = load_recipe(record.path / "recipe.yaml")
    assert written.fewshot.enabled == "on" and written.adapter.kind == "none"
    again = api.run(written, place.folder, store=place.store)
    assert again.metrics["tuned"] == result.metrics["tuned"]


def test_many_labels_and_stated_training_are_trained_as_ever(place: Place) -> None:
    trained = place.run()
    record = place.store.find(trained.run)
    assert record.recipe["fewshot"]["enabled"] == "off"
    assert not (record.path / "ladder.json").exists()
    assert (record.path / "model" / "head.safetensors").is_file()
    write_rows(place.folder / "few.jsonl", made(130))
    many = {"data": {"train": "few.jsonl"}, "model": {"id": str(place.model)}}
    plan = api.plan(recipe_from_dict(many), place.folder)
    assert plan.resolved.fewshot.enabled == "off" and plan.resolved.adapter.kind == "lora"


@pytest.mark.parametrize(
    "changes",
    [
        {"fewshot.minutes": 0},
        {"fewshot.rungs": ["stacked"]},
        {"model.id": "embedded:causal"},
    ],
)
def test_the_ladder_is_left_sooner_where_no_rung_may_tune_the_encoder(
    place: Place, changes: Mapping[str, Any]
) -> None:
    write_rows(place.folder / "few.jsonl", made(50))
    content = {"data": {"train": "few.jsonl"}, "task": "classify"}
    plan = api.plan(recipe_from_dict(content | {"model": {"id": str(place.model)}}), place.folder)
    assert plan.resolved.fewshot.enabled == "on"
    recipe = recipe_from_dict(content | nested(changes))
    assert api.plan(recipe, place.folder).resolved.fewshot.enabled == "off"


def test_a_plan_says_that_the_ladder_is_taken(place: Place) -> None:
    write_rows(place.folder / "few.jsonl", made(8))
    content = {"data": {"train": "few.jsonl"}, "model": {"id": str(place.model)}}
    plan = api.plan(recipe_from_dict(content), place.folder)
    assert plan.resolved.fewshot.enabled == "on"
    assert any("the few-shot ladder is taken" in note for note in plan.notes)
    assert any("not in the time above" in note for note in plan.notes), "tuning takes its time"
    json.dumps(plan.as_dict())
    frozen = recipe_from_dict(content | {"fewshot": {"minutes": 0}})
    notes = api.plan(frozen, place.folder).notes
    assert not any("not in the time above" in note for note in notes)


def test_no_labels_but_descriptions(place: Place) -> None:
    texts = [{"text": row["text"]} for row in made(10)]
    result, record = run(place, texts, {"fewshot.descriptions": SAID}, test=made(5, 100))
    assert ladder(record)["rung"] == "zero-shot" and ladder(record)["pool"] == 30
    assert result.metrics["tuned"]["accuracy"] > 1 / 3
    assert record.facts["openings"] == ["the last evaluation"]
    answer = next(iter(api.predict(record.id, [{"text": "hotel"}], place.store)))
    assert answer["label"] in WORDS


def test_no_labels_anywhere_is_not_measured_and_says_so(place: Place) -> None:
    texts = [{"text": row["text"]} for row in made(10)]
    result, record = run(place, texts, {"fewshot.descriptions": SAID})
    assert result.metrics["tuned"] == {} and result.metrics["difference"] == {}
    page = (record.path / "report.html").read_text(encoding="utf-8")
    assert "nothing was measured" in page
    codes = {
        f["code"] for f in json.loads((record.path / "data_report.json").read_text())["findings"]
    }
    assert "not-measured" in codes
    write_rows(place.folder / "more.jsonl", made(5, 100))
    later = api.evaluate(record.id, "more.jsonl", place.store, base_folder=place.folder)
    assert later["rows"] == 15


def test_without_test_rows_held_out_rows_are_measured(place: Place) -> None:
    split = {"test": 0, "validation": 0}
    result, record = run(place, made(8), {"data.split": split})
    assert set(result.metrics["tuned"]) >= {"accuracy", "macro_f1"}
    page = (record.path / "report.html").read_text(encoding="utf-8")
    assert "There are no test rows" in page
    assert "labelled rows held out in turn)" in page and "0 test rows)" not in page
    card = (record.path / "model" / "README.md").read_text(encoding="utf-8")
    assert "## Measured on labelled rows held out in turn" in card


def test_a_test_part_too_small_to_tell_anything_is_learnt_from(place: Place) -> None:
    result, record = run(place, made(8))
    assert ladder(record)["rows"] == 24
    assert result.metrics["measured_on"] == "labelled rows held out in turn"
    notes = json.loads((record.path / "plan.json").read_text(encoding="utf-8"))["notes"]
    assert any("a test part of" in note and "all rows are learnt from" in note for note in notes)
    again = api.run(load_recipe(record.path / "recipe.yaml"), place.folder, store=place.store)
    assert again.metrics["tuned"] == result.metrics["tuned"]


def test_the_report_shows_what_more_labels_bring_and_which_to_give(place: Place) -> None:
    texts = [{"text": f"{row['text']} please"} for row in made(20, 300)]
    write_rows(place.folder / "pool.jsonl", texts)
    changes = {"fewshot.pool": "pool.jsonl", "fewshot.target": 0.99, "fewshot.minutes": 0}
    _, record = run(place, made(8), changes, test=made(5, 100))
    found = ladder(record)
    sizes = [size for size, _ in found["outlook"]["measured"]]
    assert sizes == sorted(sizes) and sizes[-1] < found["rows"] == found["outlook"]["labels"]
    assert found["outlook"]["needed"]["target"] == 0.99
    asked = [row["text"] for row in found["next"]]
    assert asked and set(asked) <= {row["text"] for row in texts}
    page = (record.path / "report.html").read_text(encoding="utf-8")
    assert "Right answers against labels" in page and all(text in page for text in asked)
    assert f"luthier label {record.id} --pool pool.jsonl" in page


def test_what_is_said_for_a_ladder_that_is_not_taken_is_told(place: Place) -> None:
    write_rows(place.folder / "few.jsonl", made(130))
    many = {"data": {"train": "few.jsonl"}, "model": {"id": str(place.model)}}
    plan = api.plan(recipe_from_dict(many | {"fewshot": {"pool": "more.jsonl"}}), place.folder)
    assert any("fewshot.pool is not used" in note for note in plan.notes)
    assert not any("not used" in n for n in api.plan(recipe_from_dict(many), place.folder).notes)


def test_a_class_without_a_row_is_known_by_its_description(place: Place) -> None:
    rows = [row for row in made(6) if row["label"] != "travel"]
    _, record = run(place, rows, {"fewshot.descriptions": SAID}, test=made(5, 100))
    assert ladder(record)["counts"]["travel"] == 0
    page = (record.path / "report.html").read_text(encoding="utf-8")
    assert "no labelled row, only their description: travel" in page


def test_a_class_that_only_the_test_has_is_known_by_its_name_and_counts(place: Place) -> None:
    rows = [row for row in made(6) if row["label"] != "travel"]
    told = Told()
    result, record = run(place, rows, test=made(5, 100), told=told)
    assert ladder(record)["counts"]["travel"] == 0
    notes = json.loads((record.path / "plan.json").read_text(encoding="utf-8"))["notes"]
    assert any("travel" in note and "their test rows count" in note for note in notes)
    assert result.metrics["tuned"]["accuracy"] < 1.0
    again = api.evaluate(record.id, "held.jsonl", place.store, base_folder=place.folder)
    assert again["rows"] == 15


def test_an_ordinary_run_refuses_classes_that_only_the_test_has(place: Place) -> None:
    rows = [row for row in made(12) if row["label"] != "travel"]
    with pytest.raises(FixData, match=r"travel.*fewshot.enabled: on"):
        run(place, rows, {"fewshot.enabled": "off", "train.epochs": 1}, test=made(5, 100))


def test_rows_labelled_by_rules_are_in_no_number_of_rows_held_out(place: Place) -> None:
    weak = [row | {"label_source": "rule"} for row in made(6, 50)]
    split = {"test": 0, "validation": 0}
    rows = [*({"label_source": "person"} | row for row in made(8)), *weak]
    result, record = run(place, rows, {"data.split": split})
    assert ladder(record)["rows"] == 42
    page = (record.path / "report.html").read_text(encoding="utf-8")
    assert "from 24 labelled rows" in page
    assert set(result.metrics["tuned"]) >= {"accuracy"}


def test_one_label_per_class(place: Place) -> None:
    split = {"validation": 0}
    _, record = run(place, made(1), {"data.split": split}, test=made(5, 100))
    found = ladder(record)
    assert found["rung"] == "stacked" and found["per_class"] == 1
    assert all(not decision["accepted"] for decision in found["decisions"])


def test_a_pool_is_freed_of_test_rows_labelled_rows_and_repetitions(place: Place) -> None:
    test, few = made(5, 100), made(6)
    texts = [test[0]["text"], few[1]["text"].upper(), "a new text", "a  NEW text", "another one"]
    write_rows(place.folder / "pool.jsonl", [{"text": text} for text in texts])
    told = Told()
    _, record = run(place, few, {"fewshot.pool": "pool.jsonl"}, test=test, told=told)
    assert ladder(record)["pool"] == 2
    said = " ".join(told.lines)
    assert "left out of the pool as test rows: 1" in said
    assert "left out of the pool as labelled rows: 1" in said
    assert "left out of the pool as repeating an earlier text: 1" in said
    assert ladder(record)["notes"] == told.lines[:3]


def test_a_pool_of_one_is_enough(place: Place) -> None:
    write_rows(place.folder / "pool.jsonl", [{"text": "train to the beach"}])
    _, record = run(place, made(4), {"fewshot.pool": "pool.jsonl"}, test=made(5, 100))
    assert ladder(record)["pool"] == 1


def test_a_missing_pool_is_named(place: Place) -> None:
    error = refused(place, made(4), {"fewshot.pool": "gone.jsonl"}, test=made(5, 100))
    assert isinstance(error, FixData) and "gone.jsonl" in str(error)


def test_contradictory_labels_of_one_text_are_told(place: Place) -> None:
    rows = [*made(6), {"text": "card loan number 0", "label": "travel"}]
    _, record = run(place, rows, test=made(5, 100))
    report = json.loads((record.path / "data_report.json").read_text(encoding="utf-8"))
    assert "conflicting-labels" in {finding["code"] for finding in report["findings"]}


def test_labels_of_one_class_only_are_refused_unless_others_are_described(place: Place) -> None:
    rows = [row for row in made(9) if row["label"] == "bank"]
    error = refused(place, rows, test=made(5, 100)[::3])
    assert isinstance(error, FixData) and "every label is 'bank'" in str(error)
    _, record = run(place, rows, {"fewshot.descriptions": SAID}, test=made(5, 100))
    assert ladder(record)["counts"] == {"bank": 9, "clinic": 0, "travel": 0}


def test_labels_outside_the_described_classes_are_refused(place: Place) -> None:
    rows = [*made(4), {"text": "a strange one", "label": "travle"}]
    error = refused(place, rows, {"fewshot.descriptions": SAID}, test=made(5, 100))
    assert "'travle' is not among the classes" in str(error) and "'travel'" in str(error)
    texts = [{"text": row["text"]} for row in made(4)]
    test = [*made(2, 100), {"text": "odd", "label": "other"}]
    error = refused(place, texts, {"fewshot.descriptions": SAID}, test=test)
    assert "'other' is not among the classes" in str(error)


def test_a_class_of_which_nothing_is_known_is_refused(place: Place) -> None:
    error = refused(place, made(4), {"fewshot.descriptions": {**SAID, "7": ""}}, test=made(5, 100))
    assert isinstance(error, FixRecipe) and "fewshot.descriptions.7" in str(error)


@pytest.mark.parametrize(
    ("changes", "met"),
    [
        ({"fewshot.rungs": ["stakced"]}, "did you mean 'stacked'"),
        ({"fewshot.target_prior": {"bank": 0.5, "clinic": 0.5}}, "travel"),
    ],
)
def test_wishes_that_cannot_be_kept(place: Place, changes: dict[str, Any], met: str) -> None:
    error = refused(place, made(4), changes, test=made(5, 100))
    assert isinstance(error, FixRecipe) and met in str(error)


def test_the_ladder_and_a_search_exclude_each_other(place: Place) -> None:
    changes = {"fewshot.enabled": "on", "tune.workers": 1}
    error = refused(place, made(4), changes, test=made(5, 100))
    assert isinstance(error, FixRecipe) and error.place == "tune"


def test_a_tuned_encoder_is_kept_and_answers(place: Place) -> None:
    changes = {"fewshot.rungs": ["tuned"]}
    result, record = run(place, made(6), changes, test=made(5, 100))
    assert ladder(record)["rung"] == "tuned"
    assert (record.path / "model" / "adapter" / "adapter_model.safetensors").is_file()
    written = load_recipe(record.path / "recipe.yaml")
    assert written.adapter.kind == "lora" and written.fewshot.enabled == "on"
    again = api.evaluate(record.id, "held.jsonl", place.store, base_folder=place.folder)
    for name in ("accuracy", "log_loss"):
        assert again["metrics"][name] == pytest.approx(result.metrics["tuned"][name], abs=1e-4)
    answers = list(api.predict(record.id, [{"text": "loan fee"}, {"text": "cough"}], place.store))
    assert {answer["label"] for answer in answers} <= set(WORDS)
    repeated = api.run(written, place.folder, store=place.store)
    assert repeated.metrics["tuned"] == result.metrics["tuned"]


def test_a_tuned_encoder_says_what_more_labels_bring_and_which_to_give(place: Place) -> None:
    pool = [{"text": row["text"]} for row in made(9, 300)]
    write_rows(place.folder / "pool.jsonl", pool)
    changes = {"fewshot.rungs": ["tuned"], "fewshot.pool": "pool.jsonl"}
    _, record = run(place, made(12), changes, test=made(5, 100))
    found = ladder(record)
    assert found["rung"] == "tuned" and found["outlook"] is not None
    assert 3 < len(found["next"]) <= len(pool)
    assert {one["text"] for one in found["next"]} <= {row["text"] for row in pool}


def test_no_time_for_tuning_leaves_the_encoder_as_it_is(place: Place) -> None:
    _, record = run(place, made(8), {"fewshot.minutes": 0}, test=made(5, 100))
    told = {d["rung"]: d["reason"] for d in ladder(record)["decisions"]}
    assert told["tuned"] == "the encoder can't be tuned here"


def test_one_allowed_rung_is_the_one_taken(place: Place) -> None:
    _, record = run(place, made(6), {"fewshot.rungs": ["lexical"]}, test=made(5, 100))
    assert ladder(record)["rung"] == "lexical"


def test_shares_add_up_to_one() -> None:
    content = {"data": {"train": "a.csv"}, "fewshot": {"target_prior": {"a": 0.5, "b": 0.6}}}
    with pytest.raises(FixRecipe, match=r"adds up to 1\.1"):
        recipe_from_dict(content)


def test_attacks_work_on_a_rung(place: Place) -> None:
    _, record = run(
        place, made(8), {"fewshot.enabled": "on", "safety.checks": {"rows": 10, "queries": 5}},
        test=made(5, 100),
    )  # fmt: skip
    told = json.loads((record.path / "safety.json").read_text(encoding="utf-8"))
    assert "robustness" in told


def test_files_of_a_rung_that_do_not_fit_are_refused(place: Place, tmp_path: Path) -> None:
    _, record = run(place, made(4), test=made(5, 100))
    (record.path / "model" / "ladder.safetensors").write_bytes(b"{}")
    with pytest.raises(LuthierError, match="the few-shot classifier cannot be read"):
        list(api.predict(record.id, [{"text": "card"}], place.store))
