"""What a plan expects of a private training."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier.privacy.accountant import calibrate
from luthier.privacy.outlook import FEWEST_STEPS, Shape, better, outlook

SHAPES = st.builds(
    Shape,
    st.integers(200, 100_000),
    st.integers(16, 200),
    st.integers(1, 5_000),
    st.integers(100, 10**7),
)


@given(st.floats(0.1, 20), SHAPES)
def test_more_noise_loses_more(noise: float, shape: Shape) -> None:
    found, more = outlook(noise, shape), outlook(2 * noise, shape)
    assert 0 <= found.low <= found.lost <= found.high <= 1
    assert more.lost > found.lost
    assert outlook(noise, replace(shape, numbers=2 * shape.numbers)).lost > found.lost
    assert outlook(noise, replace(shape, batch=2 * shape.batch)).lost < found.lost


@given(st.floats(0.5, 10), SHAPES)
def test_what_is_proposed_has_as_many_passes_and_enough_updates(
    epsilon: float, shape: Shape
) -> None:
    found = better(epsilon, 1e-6, shape)
    if found is None:
        return
    assert found.steps >= FEWEST_STEPS
    assert found.batch <= shape.units
    passes = shape.steps * shape.batch
    assert found.steps * found.batch == pytest.approx(passes, rel=0.02, abs=found.batch)


def test_what_is_proposed_is_better_by_the_accountant_too() -> None:
    shape = Shape(8_000, 64, 2_500, 3_000)
    found = better(3.0, 1e-6, shape)
    assert found is not None
    before, after = (
        outlook(calibrate(3.0, 1e-6, s.batch / s.units, s.steps), s).blur for s in (shape, found)
    )
    assert after < before / 1.1
