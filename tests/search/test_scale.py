"""The scale on which scores of different tasks are compared."""

from __future__ import annotations

import pytest

from luthier.search.scale import Scale


@pytest.mark.parametrize("score", [0.2, 0.5, 0.9])
def test_a_point_is_worth_its_distance_on_the_scale(score: float) -> None:
    scale, gain = Scale(True, "higher", 0.5), 1e-4
    moved = float(scale.relative(score + gain) - scale.relative(score))
    assert scale.step(score, gain) == pytest.approx(moved, rel=0.01)


def test_a_gain_of_a_loss_is_a_part_of_it() -> None:
    scale = Scale(False, "lower", 2.0)
    moved = float(scale.relative(1.0 * (1 - 1e-4)) - scale.relative(1.0))
    assert scale.step(1.0, 1e-4) == pytest.approx(moved, rel=0.01)
