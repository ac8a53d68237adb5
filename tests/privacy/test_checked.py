"""A price is told only when a second way to find it agrees."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luthier.core.errors import CheckRun
from luthier.privacy import checked as module
from luthier.privacy.accountant import total
from luthier.privacy.checked import checked
from luthier.privacy.event import Bounded, Sampled
from luthier.privacy.renyi import renyi_epsilon, second_epsilon


@settings(max_examples=8, deadline=None)
@given(st.floats(0.6, 6.0), st.floats(1e-3, 0.5), st.integers(1, 2_000))
def test_sound_prices_are_told(noise: float, rate: float, steps: int) -> None:
    events = [Sampled(noise, rate, steps), Bounded(0.1, 1e-9)]
    assert checked(events, 1e-6) == total(events, 1e-6)


@pytest.mark.parametrize("wrong", [0.9, 1.2])
def test_a_price_that_the_second_way_does_not_find_is_not_told(
    wrong: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    true = total([Sampled(1.0, 0.02, 500)], 1e-6)
    monkeypatch.setattr(module, "total", lambda events, delta: wrong * true)
    with pytest.raises(CheckRun, match="no epsilon is told"):
        checked([Sampled(1.0, 0.02, 500)], 1e-6)


def test_nothing_and_no_noise_need_no_second_price() -> None:
    assert checked([], 1e-6) == 0
    assert checked([Sampled(0.0, 0.5, 1)], 1e-6) == math.inf


@pytest.mark.parametrize(
    ("noise", "rate", "steps", "delta"),
    [(0.865, 0.074, 135, 1e-5), (1.0, 0.01, 10_000, 1e-6), (3.0, 0.25, 100, 1e-7)],
)
def test_moments_bound_as_another_accountant_has_it(
    noise: float, rate: float, steps: int, delta: float
) -> None:
    dp = pytest.importorskip("dp_accounting", reason="the extra `private` is not installed")
    from dp_accounting.rdp import RdpAccountant

    accountant = RdpAccountant()
    once = dp.PoissonSampledDpEvent(rate, dp.GaussianDpEvent(noise))
    accountant.compose(dp.SelfComposedDpEvent(once, steps))
    events = [Sampled(noise, rate, steps)]
    assert renyi_epsilon(events, delta) == pytest.approx(accountant.get_epsilon(delta), rel=0.01)
    assert second_epsilon(events, delta) < renyi_epsilon(events, delta)
