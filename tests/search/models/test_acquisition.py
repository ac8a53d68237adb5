"""Expected improvement where it is hard to compute, and batches."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from luthier.search.models.acquisition import log_expected_improvement


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
