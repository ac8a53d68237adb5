"""The accountant against others, against exact values, and its laws."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_ndtr

from luthier.core.errors import FixRecipe
from luthier.privacy.accountant import calibrate, compose, delta_curve, epsilon, total
from luthier.privacy.event import Bounded, Sampled

# Noise, rate, steps, delta.
SETTINGS = [
    (0.865, 0.074, 135, 1e-5),
    (0.586, 0.0152, 394, 1e-5),
    (0.825, 0.0152, 394, 1.5e-5),
    (0.4, 6e-5, 51_562, 1e-6),
    (1.0, 0.01, 10_000, 1e-6),
    (0.7, 0.01, 3_000, 1e-9),
    (4.0, 0.5, 200, 1e-6),
    (2.0, 1.0, 10, 1e-5),
]
NOISE = st.floats(0.5, 8.0)
RATE = st.floats(1e-4, 1.0)
STEPS = st.integers(1, 3_000)


def theirs(noise: float, rate: float, steps: int, delta: float) -> float:
    """The same by `dp-accounting`."""
    dp = pytest.importorskip("dp_accounting", reason="the extra `private` is not installed")
    from dp_accounting.pld import PLDAccountant

    accountant = PLDAccountant()
    once = dp.PoissonSampledDpEvent(rate, dp.GaussianDpEvent(noise))
    accountant.compose(dp.SelfComposedDpEvent(once, steps))
    return float(accountant.get_epsilon(delta))


def gaussian_delta(noise: float, epsilon: float) -> float:
    """The exact delta of one sum over everybody.

    Source: Balle and Wang 2018, "Improving the Gaussian Mechanism", Theorem 8.
    """
    first = log_ndtr(1 / (2 * noise) - epsilon * noise)
    second = log_ndtr(-1 / (2 * noise) - epsilon * noise)
    return math.exp(first) - math.exp(epsilon + second)


@pytest.mark.parametrize(("noise", "rate", "steps", "delta"), SETTINGS)
def test_agrees_with_another_accountant(
    noise: float, rate: float, steps: int, delta: float
) -> None:
    expected = theirs(noise, rate, steps, delta)
    assert epsilon(noise, rate, steps, delta) == pytest.approx(expected, abs=0.02)


@settings(max_examples=10, deadline=None)
@given(NOISE, RATE, STEPS, st.sampled_from([1e-5, 1e-7]))
def test_agrees_with_another_accountant_anywhere(
    noise: float, rate: float, steps: int, delta: float
) -> None:
    ours = epsilon(noise, rate, steps, delta)
    # Above that both lose their meaning, and theirs takes minutes.
    if ours < 30:
        assert ours == pytest.approx(theirs(noise, rate, steps, delta), abs=0.02)


@settings(max_examples=12, deadline=None)
@given(st.floats(0.3, 20.0), st.sampled_from([1e-4, 1e-6, 1e-9]))
def test_is_exact_for_one_sum_over_everybody(noise: float, delta: float) -> None:
    found = epsilon(noise, 1.0, 1, delta)
    # At what we say the promise holds, and hardly below it, it does not.
    assert gaussian_delta(noise, found) <= delta * (1 + 1e-4) + 1e-14
    if found > 0.01:
        assert gaussian_delta(noise, found - 2e-3) > delta


@settings(max_examples=6, deadline=None)
@given(NOISE, st.floats(1e-4, 0.5), STEPS)
def test_more_costs_more(noise: float, rate: float, steps: int) -> None:
    found = epsilon(noise, rate, steps, 1e-6)
    slack = 1e-6 + 1e-4 * found
    assert epsilon(1.2 * noise, rate, steps, 1e-6) <= found + slack
    assert epsilon(noise, 2 * rate, steps, 1e-6) >= found - slack
    assert epsilon(noise, rate, 2 * steps, 1e-6) >= found - slack
    assert epsilon(noise, rate, steps, 1e-8) >= found - slack


@settings(max_examples=8, deadline=None)
@given(NOISE, st.floats(1e-3, 0.3), st.integers(2, 500))
def test_parts_together_cost_what_the_whole_costs(noise: float, rate: float, steps: int) -> None:
    cut = steps // 2
    parts = [Sampled(noise, rate, cut), Sampled(noise, rate, steps - cut)]
    assert total(parts, 1e-6) == pytest.approx(epsilon(noise, rate, steps, 1e-6), abs=1e-3)


@settings(max_examples=5, deadline=None)
@given(st.floats(0.2, 20.0), st.floats(1e-3, 0.5), st.integers(1, 2_000))
def test_calibrated_noise_costs_what_was_asked_for(wanted: float, rate: float, steps: int) -> None:
    noise = calibrate(wanted, 1e-6, rate, steps)
    assert epsilon(noise, rate, steps, 1e-6) <= wanted
    if noise > 0.11:
        assert epsilon(0.995 * noise, rate, steps, 1e-6) > wanted


def test_unlike_events_add_up_as_in_another_accountant() -> None:
    dp = pytest.importorskip("dp_accounting", reason="the extra `private` is not installed")
    from dp_accounting.pld import PLDAccountant

    accountant = PLDAccountant()
    events = [Sampled(0.9, 0.02, 300), Sampled(5.0, 1.0, 3)]
    for noise, rate, steps in ((0.9, 0.02, 300), (5.0, 1.0, 3)):
        once = dp.PoissonSampledDpEvent(rate, dp.GaussianDpEvent(noise))
        accountant.compose(dp.SelfComposedDpEvent(once, steps))
    assert total(events, 1e-6) == pytest.approx(accountant.get_epsilon(1e-6), abs=0.02)


def test_of_a_known_epsilon_and_delta_just_that_is_added() -> None:
    assert total([Bounded(2.0, 1e-7)], 1e-6) == pytest.approx(2.0, abs=1e-3)
    # Two of them add up.
    assert total([Bounded(0.5, 1e-7)] * 2, 3e-7) == pytest.approx(1.0, abs=1e-3)
    assert total([Bounded(0.5, 1e-3)], 1e-6) == math.inf
    alone = total([Sampled(1.0, 0.02, 200)], 1e-6)
    both = total([Sampled(1.0, 0.02, 200), Bounded(0.3, 1e-9)], 1e-6)
    assert alone < both < alone + 0.3 + 0.01


def test_the_curve_falls_and_meets_epsilon() -> None:
    events = [Sampled(1.0, 0.02, 200)]
    curve = delta_curve(events, [0.5, 1.0, 2.0, 4.0])
    assert curve == sorted(curve, reverse=True)
    composed = compose(events)
    assert composed.delta(composed.epsilon(1e-6)) == pytest.approx(1e-6, rel=1e-3)


def test_without_noise_nothing_is_promised() -> None:
    assert epsilon(0.0, 0.01, 1, 1e-5) == math.inf
    assert epsilon(1.0, 0.01, 0, 1e-5) == 0
    assert delta_curve([Sampled(0.0, 0.01, 1)], [1.0]) == [1.0]


@pytest.mark.parametrize("wanted", [0.0, -1.0, math.nan, math.inf])
def test_an_epsilon_of_zero_or_below_is_refused(wanted: float) -> None:
    with pytest.raises(FixRecipe, match="epsilon"):
        calibrate(wanted, 1e-5, 0.01, 100)


@pytest.mark.parametrize("delta", [0.0, -1e-5, 1.0, 1e-13, math.nan])
def test_a_delta_that_is_no_chance_is_refused(delta: float) -> None:
    with pytest.raises(FixRecipe, match="delta"):
        epsilon(1.0, 0.01, 100, delta)


def test_a_batch_larger_than_the_data_is_refused() -> None:
    with pytest.raises(FixRecipe, match="larger than the data"):
        epsilon(1.0, 1.5, 100, 1e-5)
