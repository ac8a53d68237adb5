"""A plan says what privacy will cost, and a run that can reach nothing does not begin."""

from __future__ import annotations

import json
from typing import Any

import pytest
from stage_place import Place, write_rows

from luthier.core.errors import CheckRun, FixData, FixRecipe, LuthierError
from luthier.core.progress import Silence
from luthier.core.types import Task
from luthier.privacy.charge import SAMPLED, Charge
from luthier.privacy.ledger import Allowance, Ledger, ledger_path
from luthier.stages import api
from luthier.stages.safety.budget import budget
from tiny import task_rows


def _section(**changes: Any) -> dict[str, Any]:
    return {"safety.privacy": {"epsilon": 8.0, "batch_size": 16, "force": True} | changes}


def test_a_plan_says_what_privacy_will_cost(place: Place) -> None:
    notes = api.plan(place.recipe(_section()), place.folder).notes
    told = [note for note in notes if "privacy" in note]
    assert any("epsilon 8 at delta" in note for note in told)
    assert any("is expected to cost" in note for note in told)
    assert not any("privacy" in n for n in api.plan(place.recipe({}), place.folder).notes)


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"epsilon": 80.0, "force": False}, FixRecipe, "promises nothing"),
        ({"epsilon": 0.05, "force": False}, FixRecipe, "drowns the signal"),
        ({"delta": 0.2}, FixRecipe, "told outright"),
        ({"batch_size": 5_000}, FixData, "5000 units"),
    ],
)
def test_settings_that_mean_nothing_are_refused(
    place: Place, changes: dict[str, Any], error: type[LuthierError], words: str
) -> None:
    recipe = place.recipe(_section(**changes))
    with pytest.raises(error, match=words):
        api.plan(recipe, place.folder)
    with pytest.raises(error, match=words):
        api.run(recipe, place.folder, store=place.store)


@pytest.mark.parametrize("changes", [{"epsilon": 80.0}, {"epsilon": 0.05}])
def test_force_goes_on(place: Place, changes: dict[str, Any]) -> None:
    assert api.plan(place.recipe(_section(**changes)), place.folder).notes


def test_a_private_run_tells_what_is_proved_and_what_was_spent(place: Place) -> None:
    made = place.run(_section())
    page = (made.path / "report.html").read_text(encoding="utf-8")
    assert "What is proved" in page and "Nobody attacked this model yet" in page
    from luthier.core.progress import Silence
    from luthier.stages.safety.budget import budget

    spent = budget(made.run, 1e-5, None, place.store, Silence())
    usual = budget(made.run, None, None, place.store, Silence())
    assert usual == spent
    (line,) = spent["runs"]
    assert line["run"] == made.run and line["held"] == 0
    assert 0 < spent["epsilon"] == line["epsilon"] <= 8


def test_an_audit_puts_the_proof_beside_what_it_found(place: Place) -> None:
    write_rows(place.folder / "test.jsonl", task_rows(Task.CLASSIFY, 60, seed=9))
    made = place.run(_section())
    told = api.audit(made.run, place.store)
    kept = json.loads((made.path / "safety.json").read_text(encoding="utf-8"))["privacy"]
    assert told["proved"]["epsilon"] == kept["epsilon"]
    assert told["proved"]["ledger_tip"] == kept["ledger_tip"]
    assert told["demonstrated"]["epsilon"] <= told["proved"]["epsilon"]
    assert "changes the odds" in told["words"]["proved"][0]
    page = (made.path / "report.html").read_text(encoding="utf-8")
    assert "What was demonstrated" in page and "planted gradients" in page
    assert "Some rows stand out by chance alone" in page and "Learning took 4 steps" in page
    assert all(e["low"] <= e["share_as_high"] <= e["high"] for e in told["exposed"])


def test_a_freed_plan_can_be_spent_by_another_run(place: Place) -> None:
    made = place.run(_section())
    dataset = str(place.store.find(made.run).facts["data_hash"])
    ledger = Ledger.open(ledger_path(place.store.folder, dataset), dataset)
    ledger.plan(Charge("gone", SAMPLED, 1.0, 0.1, 5), Allowance(30.0, 1e-5))
    lines = {r["run"]: r for r in budget(made.run, 1e-5, None, place.store, Silence())["runs"]}
    assert lines["gone"]["held"] == 5 and lines["gone"]["steps"] == 0
    after = budget(made.run, 1e-5, "gone", place.store, Silence())
    assert [r["run"] for r in after["runs"]] == [made.run]
    with pytest.raises(CheckRun, match="holds nothing"):
        budget(made.run, 1e-5, "gone", place.store, Silence())
