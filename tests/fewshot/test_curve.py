"""Learning curves: what they recover, what they refuse, and how sure they say they are."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luthier.core.errors import CheckRun
from luthier.fewshot.curve import Curve, Needed

SIZES = np.array([20, 40, 80, 160, 320])


def answers(a: float, b: float, c: float, rows: int, seed: int = 0) -> np.ndarray:
    """Rows that get right answers as the law says, each at the same place of its own luck."""
    luck = np.random.default_rng(seed).random((rows, 1))
    return (luck < a - b * SIZES.astype(float) ** -c).astype(float)


def test_many_rows_give_the_law_back() -> None:
    curve = Curve.fit(SIZES, answers(0.9, 1.5, 0.5, 40_000))
    for labels in (20, 100, 320, 1000, 3000):
        assert curve.at(labels).value == pytest.approx(0.9 - 1.5 * labels**-0.5, abs=0.03)


def test_few_rows_give_wide_intervals() -> None:
    wide, narrow = (Curve.fit(SIZES, answers(0.9, 1.5, 0.5, rows)).at(640) for rows in (30, 3000))
    assert wide.high - wide.low > 2 * (narrow.high - narrow.low)


def test_a_target_above_the_end_is_out_of_reach() -> None:
    curve = Curve.fit(SIZES, answers(0.7, 1.0, 1.0, 5000))
    found = curve.needed(0.95)
    assert not found.reachable
    assert "not reachable with this encoder" in found.say(320, 10.0)
    assert curve.needed(0.5).labels < 100


@settings(max_examples=30, deadline=None)
@given(
    a=st.floats(0.5, 1.0), b=st.floats(0.0, 2.0), c=st.floats(0.1, 1.0),
    rows=st.integers(1, 60), seed=st.integers(0, 99),
)  # fmt: skip
def test_curves_rise_and_stay_within_zero_and_one(
    a: float, b: float, c: float, rows: int, seed: int
) -> None:
    curve = Curve.fit(SIZES, answers(a, b, c, rows, seed), started=8.0, seed=seed)
    found = [curve.at(n) for n in (20, 200, 2000, 20_000)]
    assert all(0 <= i.low <= i.value <= i.high <= 1 for i in found)
    values = [i.value for i in found]
    assert values == sorted(values)
    needs = [curve.needed(t) for t in (0.3, 0.5, 0.7, 0.9)]
    assert all(n.low <= n.labels <= n.high for n in needs)
    counts = [n.labels for n in needs]
    assert counts == sorted(counts)
    gain = curve.gain(100)
    assert 0 <= gain.low <= gain.value <= gain.high


def test_the_same_rows_give_the_same_curve() -> None:
    right = answers(0.9, 1.5, 0.5, 50)
    assert Curve.fit(SIZES, right).at(999) == Curve.fit(SIZES, right).at(999)


def test_rows_a_model_had_learnt_are_not_its_judges() -> None:
    right = answers(0.8, 1.0, 0.5, 400)
    partly = right.copy()
    partly[200:, :2] = np.nan
    spoilt = partly.copy()
    assert Curve.fit(SIZES, partly).at(640).value == pytest.approx(
        Curve.fit(SIZES, right).at(640).value, abs=0.05
    )
    spoilt[200:, :2] = 1.0
    assert Curve.fit(SIZES, spoilt).at(20).value > Curve.fit(SIZES, partly).at(20).value + 0.05


def test_nothing_to_judge_by_is_refused() -> None:
    with pytest.raises(CheckRun, match="learning curve"):
        Curve.fit(SIZES, np.full((4, 5), np.nan))
    with pytest.raises(CheckRun, match="learning curve"):
        Curve.fit(SIZES, np.ones((4, 3)))


def test_hours_are_those_of_the_person() -> None:
    found = Needed(0.9, 1000, 500, math.inf)
    assert found.hours(400, 9.0) == (1.5, 0.25, math.inf)
    assert found.say(400, 9.0).endswith("(500 or more); for you at least 15 minutes more")
    assert "probably reached already" in Needed(0.9, 300, 200, 900).say(400, 9.0)


def test_intervals_hold_what_they_promise_on_curves_of_the_law() -> None:
    held = 0
    for seed in range(120):
        rng = np.random.default_rng(seed)
        a, b, c = rng.uniform(0.7, 0.95), rng.uniform(0.5, 1.5), rng.uniform(0.3, 0.8)
        curve = Curve.fit(SIZES, answers(a, b, c, 150, seed), seed=seed)
        found = curve.at(640)
        held += found.low <= a - b * 640.0**-c <= found.high
    assert 0.68 <= held / 120 <= 0.92
