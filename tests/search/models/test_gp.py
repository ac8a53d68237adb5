"""The Gaussian process against scikit-learn's and against what its formulas stand for."""

from __future__ import annotations

import time

import numpy as np
import pytest
from scipy.optimize import check_grad
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern

from luthier.search.models.fitting import Objective, fit, location
from luthier.search.models.gp import GaussianProcess, Observed, nothing
from luthier.search.models.matern import Kernel, KernelPrior

KERNEL = Kernel(np.asarray([0.3, 0.7, 2.0]), amplitude=1.3, floor=0.2, level=0.8)


def data(count: int = 30, width: int = 3) -> Observed:
    random = np.random.default_rng(1)
    inputs = random.random((count, width))
    values = np.sin(4 * inputs[:, 0]) + inputs[:, 1] + 0.1 * random.normal(size=count)
    return Observed(inputs, values, random.uniform(0.05, 0.3, count))


def test_it_agrees_with_scikit_learn():
    seen, at = data(), np.random.default_rng(2).random((40, 3))
    ours = GaussianProcess(KERNEL, seen)
    kernel = ConstantKernel(1.3**2) * Matern([0.3, 0.7, 2.0], nu=2.5) + ConstantKernel(0.8**2)
    theirs = GaussianProcessRegressor(kernel, alpha=seen.noise**2 + 0.2**2, optimizer=None)
    theirs.fit(seen.inputs, seen.values)
    mean, deviation = theirs.predict(at, return_std=True)
    np.testing.assert_allclose(ours.predict(at)[0], mean, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(ours.predict(at)[1], deviation, rtol=1e-6)
    np.testing.assert_allclose(ours.mean(at), mean, rtol=1e-6, atol=1e-7)


def test_left_out_predictions_are_those_of_a_process_without_the_point():
    seen = data(12)
    mean, deviation = GaussianProcess(KERNEL, seen, 0.4, 2.0).leave_one_out()
    for out in range(12):
        rest = np.arange(12) != out
        part = Observed(seen.inputs[rest], seen.values[rest], seen.noise[rest])
        m, d = GaussianProcess(KERNEL, part, 0.4, 2.0).predict(seen.inputs[[out]])
        noise = seen.noise[out] ** 2 + (2.0 * KERNEL.floor) ** 2
        assert mean[out] == pytest.approx(m[0], rel=1e-6)
        assert deviation[out] == pytest.approx(np.sqrt(d[0] ** 2 + noise), rel=1e-6)


def test_samples_have_the_moments_of_the_prediction():
    process, at = GaussianProcess(KERNEL, data(), 0.3, 1.5), np.random.default_rng(3).random((5, 3))
    draws = process.draws(at, 20000, np.random.default_rng(0))
    mean, deviation = process.predict(at)
    np.testing.assert_allclose(draws.mean(0), mean, atol=0.04)
    np.testing.assert_allclose(draws.std(0), deviation, rtol=0.04)
    twice = process.draws(at[[0, 0]], 5, np.random.default_rng(0))
    np.testing.assert_allclose(twice[:, 0], twice[:, 1], atol=1e-3)


def test_the_gradient_is_that_of_the_objective():
    seen, prior = data(20), KernelPrior.of_width(3)
    gaps = np.moveaxis((seen.inputs[:, None] - seen.inputs[None]) ** 2, 2, 0)
    goal = Objective(seen.values, seen.noise, np.ascontiguousarray(gaps), prior)
    theta = prior.center + np.asarray([0.2, -0.3, 0.1, 0.2, -0.4])
    error = check_grad(lambda t: goal(t)[0], lambda t: goal(t)[1], theta)
    assert error < 1e-4 * np.linalg.norm(goal(theta)[1])


def test_fitting_finds_which_coordinate_matters():
    random = np.random.default_rng(4)
    inputs = random.random((60, 4))
    values = np.sin(6 * inputs[:, 2]) + 0.05 * random.normal(size=60)
    seen = Observed(inputs, values, np.full(60, 0.05))
    process = fit(seen, KernelPrior.of_width(4), *location(seen.values, seen.noise))
    assert int(np.argmin(process.kernel.scales)) == 2
    at = random.random((200, 4))
    mean, deviation = process.predict(at)
    off = np.abs(mean - np.sin(6 * at[:, 2])) / deviation
    assert np.corrcoef(mean, np.sin(6 * at[:, 2]))[0, 1] > 0.98
    assert np.mean(off < 1.645) > 0.8


def test_without_observations_it_is_the_prior():
    process = fit(nothing(3), KernelPrior.of_width(3), 0.2, 0.5)
    mean, deviation = process.predict(np.zeros((2, 3)))
    np.testing.assert_allclose(mean, 0.2)
    np.testing.assert_allclose(deviation, 0.5 * np.sqrt(process.kernel.variance))
    assert process.draws(np.zeros((2, 3)), 3, np.random.default_rng(0)).shape == (3, 2)


def test_equal_points_and_equal_values_do_no_harm():
    seen = Observed(np.full((5, 2), 0.5), np.full(5, 0.7), np.zeros(5))
    process = fit(seen, KernelPrior.of_width(2), *location(seen.values, seen.noise))
    mean, deviation = process.predict(np.asarray([[0.5, 0.5], [0.0, 1.0]]))
    assert mean[0] == pytest.approx(0.7, abs=0.02)
    assert deviation[0] < deviation[1]


def test_believing_narrows_without_moving():
    process, at = GaussianProcess(KERNEL, data()), np.asarray([[0.9, 0.1, 0.9]])
    other = process.believing(at)
    np.testing.assert_allclose(other.mean(at), process.mean(at), atol=1e-8)
    assert other.predict(at)[1][0] < 0.7 * process.predict(at)[1][0]


def test_fifty_observations_take_a_tenth_of_a_second():
    seen = data(50, 9)
    fit(seen, KernelPrior.of_width(9))
    begun = time.process_time()
    fit(seen, KernelPrior.of_width(9), *location(seen.values, seen.noise))
    # Processor time of a machine that is busy with other things varies by a factor of two.
    assert time.process_time() - begun < 0.2
