"""A classifier begins as the fitted probe and never ends below it on the validation rows."""

from __future__ import annotations

import json

import pytest
from stage_place import Place

PROBE = "untouched model, linear probe"


def test_a_rate_that_destroys_the_probe_leaves_the_probe(place: Place) -> None:
    place.run({"train.learning_rate": 0.5, "train.max_steps": 6, "train.validations": 3})
    record = place.store.find("last")
    curve = [p for p in place.store.curve(record.id) if p.name == "validation accuracy"]
    begun, *later = [p.value for p in sorted(curve, key=lambda p: p.step)]
    assert max(later) <= begun and min(later) < begun, "the rate was meant to destroy it"
    kept = json.loads((record.path / "best" / "best.json").read_text(encoding="utf-8"))
    assert (kept["step"], kept["value"]) == (0, begun)
    found = json.loads((record.path / "metrics.json").read_text(encoding="utf-8"))
    probe = found["baselines"][PROBE]
    # Scores in float32 against float64: the same answers, probabilities to a few digits.
    assert found["tuned"]["accuracy"] == probe["accuracy"]
    assert found["tuned"]["log_loss"] == pytest.approx(probe["log_loss"], abs=1e-4)
