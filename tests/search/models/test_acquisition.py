"""Expected improvement where it is hard to compute, and batches."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from luthier.search.models.acquisition import (
    Candidates,
    batch,
    incumbent,
    log_expected_improvement,
    log_feasible,
)
from luthier.search.models.posterior import Belief
from luthier.search.trial import Observation, Trial


@pytest.mark.parametrize("z", [3.0, 0.0, -0.9, -1.0, -1.1, -5.0, -20.0])
def test_it_is_the_logarithm_of_the_expected_improvement(z):
    deviation, best = 0.3, 1.0
    mean = best + z * deviation
    # The integral of the upper tail, scaled so that it stays in the range of numbers.
    scaled = quad(lambda t: t * np.exp(-0.5 * t**2 + z * t), 0, 60)[0]
    expected = np.log(scaled * deviation) + norm.logpdf(z)
    found = log_expected_improvement(np.asarray([mean]), np.asarray([deviation]), best)[0]
    assert found == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_it_stays_finite_and_ordered_for_hopeless_candidates():
    mean = -np.logspace(0, 8, 60)
    found = log_expected_improvement(mean, np.full(60, 0.01), 0.0)
    assert np.isfinite(found).all()
    assert (np.diff(found) < 0).all()
    assert np.isfinite(log_expected_improvement(np.zeros(1), np.zeros(1), 0.5)).all()


def test_probabilities_of_meeting_a_limit():
    found = log_feasible(np.asarray([0.0, 10.0, 1.0]), np.asarray([1.0, 0.0, 1.0]), 1.0)
    np.testing.assert_allclose(np.exp(found), [norm.cdf(1), 0, 0.5], atol=1e-12)
    assert np.isfinite(found[0])


@dataclass(frozen=True)
class Flat:
    """Equal beliefs about all; what is believed has no width any more, nor have its neighbours."""

    known: tuple[float, ...] = ()
    means: dict[str, float] = field(default_factory=dict)

    def of_configs(self, configs):
        near = [any(abs(c["x"] - k) < 0.15 for k in self.known) for c in configs]
        return Belief(np.full(len(configs), 0.5), np.where(near, 1e-3, 0.3))

    def of_trials(self, trials):
        means = np.asarray([self.means.get(t.id, 0.4) for t in trials], float)
        return Belief(means, np.full(len(trials), 0.1))

    def believing(self, configs):
        return replace(self, known=(*self.known, *(c["x"] for c in configs)))


CONFIGS = [{"x": x} for x in (0.0, 0.1, 0.5, 0.6, 1.0)]


def test_a_batch_spreads():
    costs = np.asarray([1.0, 1.01, 1.02, 1.03, 1.04])
    assert batch(Flat(), Candidates(CONFIGS, [], costs), 0.5, 3) == [0, 2, 4]
    assert sorted(batch(Flat(), Candidates(CONFIGS, [], costs), 0.5, 9)) == [0, 1, 2, 3, 4]


def test_cost_and_feasibility_count():
    costs = np.asarray([1.0, 1.0, 0.2, 1.0, 1.0])
    assert batch(Flat(), Candidates(CONFIGS, [], costs), 0.5, 1) == [2]
    assert batch(Flat(), Candidates(CONFIGS, [], costs), 0.5, 1, cost_weight=0.0) == [0]
    feasible = np.asarray([0.0, 0.0, -9.0, 0.0, 0.0])
    assert batch(Flat(), Candidates(CONFIGS, [], costs, feasible), 0.5, 1) == [0]


def trial(name: str, status: str = "paused") -> Trial:
    return Trial(name, {"x": 0.3}, "", curve=[Observation(4, 0.5, 1, 1, 1)], status=status)


def test_paused_trials_compete_with_new_ones():
    posterior = Flat(means={"a": 0.9})
    candidates = Candidates(CONFIGS[:1], [trial("a")], np.ones(2))
    assert batch(posterior, candidates, 0.5, 2) == [1, 0]


def test_the_incumbent_is_the_best_prediction_among_the_living():
    trials = [trial("a"), trial("b"), trial("c", "diverged"), Trial("d", {"x": 0.1}, "")]
    found = incumbent(Flat(means={"a": 0.6, "b": 0.7, "c": 9.0, "d": 9.0}), trials)
    assert found is not None and found[0].id == "b" and found[1] == 0.7
    assert incumbent(Flat(), trials[2:]) is None
