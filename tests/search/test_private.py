"""Selection under differential privacy: its cost, and that draws are what they should be."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier.core.errors import FixRecipe, InstallExtra
from luthier.search import private
from luthier.search.parameter import Choice, Range
from luthier.search.private import Draws, configurations, noise_for, scored, total_epsilon, training
from luthier.search.space import Space

ROWS, BATCH, STEPS, DELTA = 10_000, 256, 390, 1e-5
SPACE = Space((Range("rate", -1.0, 1.0, 0.0, 0.4), Choice("rank", (4, 8), (1.0, 1.0), 8)))

# Base epsilon, mean draws, kind, total epsilon.
TABLE = [
    (1.0, 12.5, "logarithmic", 1.80),
    (3.0, 12.5, "logarithmic", 4.98),
    (8.0, 12.5, "logarithmic", 11.96),
    (1.0, 37.6, "logarithmic", 1.97),
    (3.0, 37.6, "logarithmic", 5.47),
    (8.0, 37.6, "logarithmic", 13.21),
    (1.0, 10.0, "poisson", 2.27),
    (3.0, 10.0, "poisson", 6.14),
    (8.0, 10.0, "poisson", 14.73),
]
# The bound for Poisson counts is tighter with orders between the whole numbers: these are without.
WHOLE_ORDERS = [(1.0, 2.27), (3.0, 6.35), (8.0, 16.54)]


@pytest.fixture(scope="module")
def base_noise() -> dict[float, float]:
    """The noise multiplier with which one run has this epsilon."""
    dp = pytest.importorskip("dp_accounting", reason="the extra `private` is not installed")
    from dp_accounting.rdp import RdpAccountant

    return {
        epsilon: dp.calibrate_dp_mechanism(
            RdpAccountant, lambda noise: training(noise, ROWS, BATCH, STEPS), epsilon, DELTA
        )
        for epsilon in (1.0, 3.0, 8.0)
    }


@pytest.mark.parametrize(("base", "mean", "kind", "total"), TABLE)
def test_totals_agree_with_known_ones(
    base_noise: dict[float, float], base: float, mean: float, kind: str, total: float
) -> None:
    event = training(base_noise[base], ROWS, BATCH, STEPS)
    found = total_epsilon(event, Draws(mean, kind), DELTA)  # type: ignore[arg-type]
    assert found == pytest.approx(total, rel=0.02)
    assert found > base


@pytest.mark.parametrize(("base", "total"), WHOLE_ORDERS)
def test_whole_orders_give_a_looser_bound_of_the_same_theorem(
    base_noise: dict[float, float], base: float, total: float
) -> None:
    from dp_accounting.rdp import RdpAccountant

    event, draws = training(base_noise[base], ROWS, BATCH, STEPS), Draws(10.0, "poisson")
    orders = np.arange(2.0, 257.0)
    whole = RdpAccountant(orders)
    whole.compose(private.repeated(event, draws))
    assert whole.get_epsilon(DELTA) == pytest.approx(total, rel=0.02)
    assert total_epsilon(event, draws, DELTA) <= whole.get_epsilon(DELTA)


def test_a_total_is_kept_by_more_noise() -> None:
    pytest.importorskip("dp_accounting", reason="the extra `private` is not installed")

    def run(noise: float) -> object:
        return training(noise, ROWS, BATCH, STEPS)

    noise = noise_for(3.0, DELTA, Draws(12.5), run, tolerance=0.005)
    assert noise == pytest.approx(1.51, rel=0.02)
    assert 2.9 < total_epsilon(run(noise), Draws(12.5), DELTA) <= 3.0
    with_score = total_epsilon(scored(run(noise), 20.0), Draws(12.5), DELTA)
    assert 3.0 < with_score < 3.5


def test_what_no_noise_can_keep_is_refused() -> None:
    pytest.importorskip("dp_accounting", reason="the extra `private` is not installed")
    with pytest.raises(FixRecipe, match="no noise"):
        noise_for(0.5, DELTA, Draws(12.5), lambda noise: scored(training(noise, 100, 10, 5), 0.5))


@given(st.floats(1.05, 200.0))
def test_the_number_of_draws_has_its_mean(mean: float) -> None:
    gamma = Draws(mean).gamma
    assert 0 < gamma < 1
    assert (1 / gamma - 1) / math.log(1 / gamma) == pytest.approx(mean, rel=1e-6)


@pytest.mark.parametrize("draws", [Draws(12.5), Draws(3.0), Draws(10.0, "poisson")])
def test_counts_follow_the_distribution(draws: Draws) -> None:
    random = np.random.default_rng(5)
    counts = np.asarray([draws.count(random) for _ in range(4_000)])
    assert counts.min() >= (1 if draws.kind == "logarithmic" else 0)
    error = counts.std() / math.sqrt(len(counts))
    assert abs(counts.mean() - draws.mean) < 4 * error


def test_configurations_are_independent_draws_from_the_mixture() -> None:
    portfolio = [{"rate": 0.5, "rank": 4}, {"rate": -0.5, "rank": 8}]
    random = np.random.default_rng(3)
    found = configurations(SPACE, portfolio, Draws(900.0, "poisson"), random)
    assert all(SPACE.holds(c) for c in found)
    shares = [sum(c == p for c in found) / len(found) for p in portfolio]
    assert shares == pytest.approx([0.25, 0.25], abs=0.06)
    kept = [c in portfolio for c in found]
    runs = sum(a and b for a, b in pairwise(kept)) / len(kept)
    assert runs == pytest.approx(0.25, abs=0.06), "neighbouring draws depend on each other"
    again = configurations(SPACE, portfolio, Draws(900.0, "poisson"), np.random.default_rng(3))
    assert found == again
    alone = configurations(SPACE, [], Draws(50.0, "poisson"), random)
    assert alone and all(SPACE.holds(c) for c in alone)


@pytest.mark.parametrize(
    ("mean", "kind"), [(1.0, "logarithmic"), (1.0, "poisson"), (math.nan, "poisson")]
)
def test_impossible_means_are_refused(mean: float, kind: str) -> None:
    with pytest.raises(FixRecipe, match="on average"):
        Draws(mean, kind)  # type: ignore[arg-type]


def test_a_portfolio_outside_the_space_and_a_wrong_delta_are_refused() -> None:
    with pytest.raises(FixRecipe, match="outside"):
        configurations(SPACE, [{"rate": 7.0, "rank": 4}], Draws(3.0), np.random.default_rng(0))
    pytest.importorskip("dp_accounting", reason="the extra `private` is not installed")
    with pytest.raises(FixRecipe, match="delta"):
        total_epsilon(training(1.0, 100, 10, 5), Draws(3.0), 0.0)


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(private.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InstallExtra, match=r"luthier\[private\]"):
        training(1.0, 100, 10, 5)
