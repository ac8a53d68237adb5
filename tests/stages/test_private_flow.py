"""A private run from recipe to report: charged beforehand, audited, steered by nothing private."""

from __future__ import annotations

import json
import re
import signal
from functools import partial
from typing import Any

import pytest
from stage_place import Place, write_rows

from luthier.core.errors import FixData, FixRecipe, ResumeLater
from luthier.core.progress import Silence
from luthier.core.types import Task
from luthier.privacy.ledger import Ledger, ledger_path
from luthier.stages import api
from tiny import task_rows

PRIVATE: dict[str, Any] = {
    "safety.privacy": {"epsilon": 8.0, "batch_size": 16, "force": True},
    "train.epochs": 2,
}


def told(place: Place) -> dict[str, Any]:
    record = place.store.find("last")
    found: dict[str, Any] = json.loads((record.path / "safety.json").read_text(encoding="utf-8"))
    return found["privacy"]


def test_a_private_run_tells_what_it_promises(place: Place) -> None:
    place.run(PRIVATE)
    record, found = place.store.find("last"), told(place)
    assert 7.0 < found["epsilon"] <= 8.0
    assert found["mechanism_audit"]["faults"] == []
    dataset = str(record.facts["data_hash"])
    ledger = Ledger.open(ledger_path(place.store.folder, dataset), dataset)
    own = [c for c in ledger.charges() if c.run == record.id]
    assert len(own) == found["steps"] and {c.steps for c in own} == {1}
    assert ledger.plans() == {}
    # Neither losses nor validations were noted, nothing was chosen by them, no probe was fitted.
    assert place.store.curve(record.id) == []
    assert not (record.path / "best").exists()
    metrics = json.loads((record.path / "metrics.json").read_text(encoding="utf-8"))
    assert not any("probe" in name for name in metrics["baselines"])


def test_a_private_classifier_begins_at_the_names_of_its_labels(place: Place) -> None:
    names = {"a": "loan", "b": "late fee", "c": "money"}
    for part, count in (("train", 48), ("test", 24)):
        rows = task_rows(Task.CLASSIFY, count, seed=count)
        named = [row | {"label": names[row["label"]]} for row in rows]
        write_rows(place.folder / f"{part}.jsonl", named)
    place.run(PRIVATE | {"train.learning_rate": 1e-9})
    metrics = json.loads((place.store.find("last").path / "metrics.json").read_text("utf-8"))
    assert metrics["tuned"]["accuracy"] == metrics["base"]["accuracy"]
    assert metrics["tuned"]["log_loss"] != metrics["base"]["log_loss"], "training begins warmer"


def test_the_plan_knows_the_private_batch(place: Place) -> None:
    plan = api.plan(place.recipe(PRIVATE | {"train.max_steps": None}), place.folder)
    train = plan.as_dict()["recipe"]["train"]
    assert (train["batch_size"], train["optimizer"]["clip_norm"]) == (16, None)
    assert train["head_rate"] == 20, "the rate of this recipe is given"
    free = api.plan(place.recipe(PRIVATE | {"train.learning_rate": None}), place.folder)
    chosen = free.as_dict()["recipe"]["train"]
    assert chosen["head_rate"] * chosen["learning_rate"] == pytest.approx(0.02, rel=1e-2)
    open_ = api.plan(
        place.recipe({"train.learning_rate": None, "train.batch_size": 16}), place.folder
    )
    usual = open_.as_dict()["recipe"]["train"]["learning_rate"]
    assert chosen["learning_rate"] == pytest.approx(4 * usual, rel=1e-2)
    own = api.plan(place.recipe(PRIVATE | {"train.head_rate": 1.0}), place.folder)
    assert own.as_dict()["recipe"]["train"]["head_rate"] == 1


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"safety.privacy": {"epsilon": 8, "batch_size": 5000}}, FixData, "5000 units"),
        ({"safety.privacy": {"epsilon": 8, "delta": 0.5}}, FixRecipe, "told outright"),
        (
            {"safety.privacy": {"epsilon": 8, "unit": "column", "column": "who"}},
            FixRecipe,
            "data.columns.group: who",
        ),
        ({**PRIVATE, "tune": {}}, FixRecipe, "every trial of a search"),
        ({**PRIVATE, "fast.shard": "on"}, FixRecipe, "fast.shard"),
    ],
)
def test_settings_that_break_the_promise_are_refused(
    place: Place, change: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        place.run(change)
    assert not (place.store.folder / "privacy").exists() or not any(
        "privacy.charge" in p.read_text() for p in (place.store.folder / "privacy").glob("*.jsonl")
    )


def test_a_spent_budget_ends_before_the_first_update(place: Place) -> None:
    section = {"epsilon": 4.0, "batch_size": 16, "dataset_budget": 5.0, "force": True}
    place.run({**PRIVATE, "safety.privacy": section})
    again = {**PRIVATE, "safety.privacy": section}
    with pytest.raises(FixRecipe, match="dataset_budget"):
        place.run(again)
    with pytest.raises(FixRecipe, match="dataset_budget"):
        api.plan(place.recipe(again), place.folder, home=place.store.folder)


def test_a_plan_says_what_the_data_set_has_spent(place: Place) -> None:
    section = {"epsilon": 4.0, "batch_size": 16, "dataset_budget": 9.0, "force": True}
    recipe = place.recipe({**PRIVATE, "safety.privacy": section})
    ledgers = place.store.folder / "privacy"
    plan = partial(api.plan, recipe, place.folder, home=place.store.folder)
    assert any("has spent nothing yet" in note for note in plan().notes)
    assert not ledgers.exists()
    place.run({**PRIVATE, "safety.privacy": section})
    before = [file.read_bytes() for file in sorted(ledgers.glob("*.jsonl*"))]
    (note,) = (note for note in plan().notes if "1 earlier run spent" in note)
    found = re.search(r"epsilon ([\d.]+) of .* it will be ([\d.]+);", note)
    assert found is not None
    spent, whole = float(found[1]), float(found[2])
    assert spent == pytest.approx(4.0, abs=0.05) and 4.0 < whole < 8.0
    # A plan writes nothing.
    assert [file.read_bytes() for file in sorted(ledgers.glob("*.jsonl*"))] == before


class Interrupt(Silence):
    """Ctrl-C at the second update."""

    def __init__(self) -> None:
        self._training, self._seen = False, 0

    def start(self, name: str, total: int | None = None, unit: str = "") -> None:
        """Notes when training begins."""
        self._training = name == "training"

    def advance(self, units: int = 1, note: str = "") -> None:
        """Counts updates."""
        self._seen += self._training
        if self._training and self._seen == 2:
            signal.raise_signal(signal.SIGINT)


def test_a_run_that_goes_on_is_charged_for_what_it_does(place: Place) -> None:
    with pytest.raises(ResumeLater):
        api.run(place.recipe(PRIVATE), place.folder, Interrupt(), place.store)
    record = place.store.find("last")
    api.resume(record.id, place.store)
    assert told(place)["steps"] == 4


def test_rows_of_one_group_are_one_unit(place: Place) -> None:
    rows = [
        {"text": f"the bank {'pays' if i % 2 else 'is late'} number {i}", "label": "ab"[i % 2],
         "who": f"p{i // 3}"}
        for i in range(90)
    ]  # fmt: skip
    write_rows(place.folder / "train.jsonl", rows)
    section = {"epsilon": 8, "unit": "column", "column": "who", "batch_size": 6, "force": True}
    changes = {
        **PRIVATE, "safety.privacy": section, "data.columns.group": "who", "data.test": None
    }  # fmt: skip
    place.run(changes)
    found = told(place)
    assert (found["unit"], found["batch_size"]) == ("who", 6)
    assert found["units"] < 30
    for row in rows[:30]:
        row["who"] = None
    write_rows(place.folder / "train.jsonl", rows)
    with pytest.raises(FixData, match="the column 'who' is empty"):
        place.run(changes)
