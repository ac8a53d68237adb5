"""The gate: each condition falls on its own, and a repair that does nothing does not pass."""

from __future__ import annotations

import numpy as np
import pytest

from luthier.core.types import Interval
from luthier.evaluate.interval import Comparison
from luthier.explain.bias.acceptance import (
    CALIBRATED,
    LESS,
    LEVEL,
    NEW,
    QUALITY,
    SEEDS,
    Limits,
    Seen,
    judged,
    of_seeds,
)
from luthier.explain.bias.probe import Carrier, Probe
from luthier.explain.bias.probed import Probed, probed
from luthier.explain.bias.terms import Template

WORDS = ("queer", "muslim", "male", "deaf")
SIDES = [False] * 60 + [True] * 60


def _moved(metric: str, value: float, half: float) -> Comparison:
    gap = Interval(value, value - half, value + half)
    return Comparison(metric, 0.7, 0.7 + value, gap, 0.5, "paired bootstrap")


def _seen(false: list[float], missed: list[float], negatives: int = 60) -> Probed:
    """Answers that wrongly flag and wrongly pass these shares of each word's texts."""
    sides = [False] * negatives + SIDES[60:]
    carriers = [Carrier(Template("{noun}", "noun", True, harmful)) for harmful in sides]
    probe = Probe(WORDS, tuple(carriers), ("x",) * (len(sides) * len(WORDS)))
    place = np.concatenate([np.arange(negatives) / negatives, np.arange(60) / 60])
    wrong = np.where(np.asarray(sides)[:, None], place[:, None] < missed, place[:, None] < false)
    flagged = np.where(np.asarray(sides)[:, None], ~wrong, wrong).reshape(-1)
    share = np.where(flagged, 0.9, 0.1)
    return probed(probe, np.stack([1 - share, share], 1), [1], 400, 0)


def _judged(
    before: Probed, after: Probed, quality: float = 0.0, half: float = 0.01, ece: float = 0.0
) -> dict[str, bool]:
    found = judged(
        Seen({"held": before}, {}), Seen({"held": after}, {}),
        [_moved("accuracy", 0.01, 0.001), _moved("macro_f1", quality, half)],
        _moved("ece", ece, 0.01), Limits(),
    )  # fmt: skip
    assert all(c.says for c in found)
    return {c.name: c.held for c in found}


BIASED = _seen([0.8, 0.1, 0.1, 0.1], [0.1] * 4)
BETTER = _seen([0.2, 0.1, 0.1, 0.1], [0.1] * 4)


def test_less_bias_at_equal_quality_passes() -> None:
    assert all(_judged(BIASED, BETTER).values())


def test_nothing_changed_is_refused_for_that() -> None:
    found = _judged(BIASED, BIASED)
    assert not found[LESS] and found[QUALITY] and found[LEVEL] and found[NEW]


@pytest.mark.parametrize(("quality", "half"), [(-0.05, 0.01), (-0.012, 0.01), (0.0, 0.03)])
def test_quality_must_surely_not_be_lost(quality: float, half: float) -> None:
    assert not _judged(BIASED, BETTER, quality, half)[QUALITY]


def test_all_groups_made_worse_is_no_repair() -> None:
    levelled = _seen([0.8] * 4, [0.1] * 4)
    found = _judged(BIASED, levelled)
    assert found[LESS] and not found[LEVEL]


def test_passing_everything_costs_the_other_rate() -> None:
    silent = _seen([0.0] * 4, [0.9] * 4)
    found = _judged(BIASED, silent)
    assert found[LESS] and not found[LEVEL]


def test_a_difference_that_was_not_there_is_new() -> None:
    turned = _seen([0.1] * 4, [0.1, 0.1, 0.9, 0.1])
    assert not _judged(BIASED, turned)[NEW]


def test_a_worse_calibration_is_bounded() -> None:
    assert not _judged(BIASED, BETTER, ece=0.03)[CALIBRATED]
    assert _judged(BIASED, BETTER, ece=0.015)[CALIBRATED]


def test_too_few_texts_that_should_pass_cannot_certify() -> None:
    found = _judged(_seen([0.8, 0, 0, 0], [0] * 4, 20), _seen([0.0] * 4, [0] * 4, 20))
    assert not found[LESS]


def test_one_bad_seed_of_three_is_shown_and_decides() -> None:
    limits = Limits()
    moved = [_moved("macro_f1", 0.0, 0.01)], _moved("ece", 0.0, 0.01)
    one, two = (
        judged(Seen({"held": BIASED}, {}), Seen({"held": after}, {}), *moved, limits)
        for after in (BETTER, BIASED)
    )
    found = {c.name: c for c in of_seeds([one, two, one])}
    assert not found[LESS].held and not found[SEEDS].held and found[QUALITY].held
    assert found[SEEDS].says == "2 of 3 seeds met every condition"
    assert all(c.held for c in of_seeds([one, one, one]))
