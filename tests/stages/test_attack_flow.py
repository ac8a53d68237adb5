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


def test_what_does_not_go_together_is_refused(place: Place) -> None:
    private = {"safety.privacy.epsilon": 8, "safety.privacy.force": True}
    with pytest.raises(FixRecipe, match="not proved together"):
        place.run({**CHECKED, **private})
    with pytest.raises(CheckRun):
        api.attack("no-such-run", place.store)
