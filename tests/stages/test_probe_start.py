"""A classifier begins as the fitted probe and never ends below it on the validation rows."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import numpy as np
import pytest
from stage_place import Place

from luthier.core.errors import FixRecipe
from luthier.evaluate.baseline import LinearProbe

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


def test_a_part_of_the_probe_answers_the_same_less_surely() -> None:
    random = np.random.default_rng(0)
    truth = random.integers(3, size=60)
    features = random.normal(size=(60, 4)).astype(np.float32)
    features[np.arange(60), truth] += 2
    probe = LinearProbe.fit(("a", "b", "c"), (features, truth), (features, truth))
    sure, soft = (features @ w.T + b for w, b in map(partial(probe.linear, True), (1.0, 0.3)))
    assert np.array_equal(sure.argmax(1), soft.argmax(1))
    np.testing.assert_allclose(np.ptp(soft, axis=1), 0.3 * np.ptp(sure, axis=1), rtol=1e-5)


def test_training_starts_from_the_part_that_is_asked_for(place: Place) -> None:
    losses = []
    for share in (1.0, 0.3, 0.0, "auto"):
        place.run({"train.probe_start": share, "train.max_steps": 1})
        curve = place.store.curve(place.store.find("last").id)
        losses.append(next(p.value for p in curve if p.name == "loss"))
    assert len(set(losses)) == 3 and losses[3] == losses[1]
    assert losses[2] == pytest.approx(np.log(3), abs=1e-3), "no part of it knows nothing"


@pytest.mark.parametrize(
    "changes", [{"evaluate.probe": False}, {"safety.privacy": {"epsilon": 8.0}}]
)
def test_no_part_of_a_probe_where_there_is_none(place: Place, changes: dict[str, Any]) -> None:
    with pytest.raises(FixRecipe, match=r"train\.probe_start"):
        place.run({"train.probe_start": 0.3, **changes})
