"""Where curves end: both models keep the promises of their intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from synthetic_tasks import SPACE, Made, family

from luthier.search.models.course import Course, course
from luthier.search.models.curve import Curves, PooledCurves, pooled_curves
from luthier.search.models.powerlaw import LastValue, PowerLaw
from luthier.search.scale import Scale
from luthier.search.trial import DECISIONS, Observation

NOISE = 0.03
TASKS = family(8, seed=3)


DENSE = (1, 2, 3, 4, 6, 8, 12, 16)


def curves(task: Made, count: int, seed: int, units: Sequence[int] = DECISIONS) -> Curves:
    """Finished curves and what the rate alone promised."""
    random = np.random.default_rng([task.number, seed])
    found, priors = [], []
    for config in SPACE.draw(random, count):
        values, at = task.curve(config, random, units), np.asarray(units, np.float64)
        found.append(Course(at, values, at**-0.3, 0.5))
        priors.append(task.final(config) + 0.1 * random.normal())
    return Curves(tuple(found), np.asarray(priors), 0.0)


@pytest.fixture(scope="module")
def pooled() -> PooledCurves:
    found = pooled_curves([curves(task, 48, 0) for task in TASKS[:6]])
    assert found is not None
    return found


def coverage(model, unit: float) -> float:
    inside = []
    for task in TASKS[6:]:
        known = curves(task, 150, 1, DENSE)
        for seen, prior in zip(known.courses, known.priors, strict=True):
            mean, deviation = model.final(seen.upto(unit), float(prior), NOISE)
            inside.append(abs(seen.last - mean) < 1.645 * deviation)
    return float(np.mean(inside))


@pytest.mark.parametrize("unit", [1, 2, 3, 4, 6, 8, 12])
def test_ninety_percent_intervals_of_pooled_curves_cover(pooled, unit):
    assert 0.80 <= coverage(pooled, unit) <= 0.97


@pytest.mark.parametrize("unit", [1, 2, 4, 8])
def test_ninety_percent_intervals_of_the_power_law_cover(unit):
    random, inside = np.random.default_rng(unit), []
    for _ in range(400):
        gain, power = 0.08 * math.exp(1.2 * random.normal()), 0.5 * math.exp(0.5 * random.normal())
        end = 0.5 + 0.4 * random.normal()
        units = np.asarray([u for u in DECISIONS if u <= unit], np.float64)
        values = end - gain * ((units / 16) ** -power - 1) + 0.05 * random.normal(size=len(units))
        seen = Course(units, values, np.ones(len(units)), 0.5)
        mean, deviation = PowerLaw(0.5, 0.4).final(seen, 0.0, 0.02)
        inside.append(abs(end - mean) < 1.645 * deviation)
    assert 0.80 <= np.mean(inside) <= 0.97


def test_later_points_tell_more(pooled):
    seen = curves(TASKS[7], 1, 5).courses[0]
    widths = [pooled.final(seen.upto(u), 0.5, 0.001)[1] for u in (1, 2, 3, 4, 6, 8, 12, 16)]
    assert widths == sorted(widths, reverse=True)


def test_the_width_is_never_below_the_noise_and_a_finished_curve_is_taken_as_it_is(pooled):
    seen = curves(TASKS[7], 1, 5).courses[0]
    for model in (pooled, PowerLaw(), LastValue()):
        assert model.final(seen, 0.5, 0.3) == (seen.last, 0.3)
        assert model.final(seen.upto(8), 0.5, 0.9)[1] >= 0.9


def test_a_curve_model_beats_the_last_value(pooled):
    known = curves(TASKS[6], 100, 2)
    pairs = list(zip(known.courses, known.priors, strict=True))
    ours = [pooled.final(c.upto(2), float(p), NOISE)[0] - c.last for c, p in pairs]
    plain = [c.upto(2).last - c.last for c, _ in pairs]
    assert np.square(ours).mean() < 0.5 * np.square(plain).mean()


def test_finished_curves_of_the_task_move_it(pooled):
    known = curves(TASKS[6], 20, 2)
    higher = tuple(
        replace(c, values=c.values + np.where(c.units == 16, 0.5, 0.0)) for c in known.courses
    )
    moved = pooled.on_task(Curves(higher, known.priors, 0.0))
    seen = known.courses[0].upto(4)
    gap = moved.final(seen, 0.5, NOISE)[0] - pooled.final(seen, 0.5, NOISE)[0]
    assert 0.2 < gap < 0.6


def test_two_tasks_are_too_few():
    assert pooled_curves([curves(task, 20, 0) for task in TASKS[:2]]) is None


def test_points_that_are_not_numbers_are_left_out():
    scale = Scale(True, "higher", 0.5)
    points = [
        Observation(1, 0.6, 1.0, 1.0, 1.0),
        Observation(2, math.nan, 1.0, 1.0, 1.0),
        Observation(4, 0.7, 1.0, math.nan, 1.0),
    ]
    seen = course(points, scale)
    assert seen is not None and list(seen.units) == [1, 4]
    assert seen.slope(4) == 0
    assert course([points[1]], scale) is None
    assert math.isfinite(PowerLaw().final(seen, 0.0, 0.05)[0])
