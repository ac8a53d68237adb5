"""Attacks and adversarial training from the recipe to the run's folder."""

from __future__ import annotations

import json

import pytest
from stage_place import Place

from luthier.core.errors import CheckRun, FixRecipe
from luthier.stages import api

CHECKED = {
    "safety.adversarial.kind": "words",
    "safety.adversarial.radius": 0.3,
}
ATTACKED = {
    "safety.checks.poison": False,
    "safety.checks.queries": 20,
    "safety.checks.rows": 10,
}


def test_a_hardened_run_is_attacked_and_sees_through_characters(place: Place) -> None:
    result = place.run(CHECKED)
    again = api.attack(result.run, place.store, attacks=["invisible", "ball"], queries=10, rows=8)
    kept = json.loads((result.path / "attack.json").read_text(encoding="utf-8"))
    assert kept == again
    assert again["attacks"][0]["success"]["10"]["value"] == 0.0
    answers = list(
        api.predict(result.run, [{"text": "my loan"}, {"text": "my l\u200boаn"}], place.store)
    )
    assert answers[0] == answers[1]
    contract = json.loads((result.path / "model" / "contract.json").read_text(encoding="utf-8"))
    assert contract["canonical"] == 1
    with pytest.raises(FixRecipe, match="did you mean 'words'"):
        api.attack(result.run, place.store, attacks=["word"])


def test_a_run_tells_how_it_stands_under_attack(place: Place) -> None:
    result = place.run({**CHECKED, **ATTACKED})
    told = json.loads((result.path / "safety.json").read_text(encoding="utf-8"))["robustness"]
    assert [a["attack"] for a in told["attacks"]] == ["words", "typos", "invisible", "lookalikes"]
    for found in told["attacks"]:
        low, value = found["robust_accuracy"]["low"], found["robust_accuracy"]["value"]
        assert low <= value <= found["accuracy"]["value"]
        assert found["mean_queries"] <= 20
    # What is undone before the tokenizer cannot change an answer.
    turned = {a["attack"]: a["success"]["20"]["value"] for a in told["attacks"]}
    assert turned["invisible"] == turned["lookalikes"] == 0.0
    page = result.report.read_text(encoding="utf-8")
    assert 'id="robustness"' in page and "lookalikes" in page
    evidence = json.loads((result.path / "evidence.json").read_text(encoding="utf-8"))
    status = {line["what"]: line["status"] for line in evidence["lines"]}
    assert status["attacked: evasion with a stated number of queries"] == "measured"


def test_what_does_not_go_together_is_refused(place: Place) -> None:
    private = {"safety.privacy.epsilon": 8, "safety.privacy.force": True}
    with pytest.raises(FixRecipe, match="not proved together"):
        place.run({**CHECKED, **private})
    with pytest.raises(CheckRun):
        api.attack("no-such-run", place.store)
