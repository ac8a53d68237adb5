"""When further labels are no longer worth a person's time, in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from luthier.core.types import Interval
from luthier.evaluate.predictions import FloatArray, IntArray

STABLE, ROUNDS = 0.99, 3
"""Agreement of a model's answers with those of the round before, and for how many rounds."""
WORTH = 0.005
"""A next batch that brings less than this is not worth asking for."""
SAMPLE = 1000
"""Rows whose answers are compared between rounds."""


@dataclass(frozen=True)
class Advice:
    """Whether to stop, and one sentence for each reason for or against."""

    stop: bool
    reasons: tuple[str, ...]

    @property
    def text(self) -> str:
        """The advice as it is read."""
        return ("Stop here: " if self.stop else "Keep labelling: ") + "; ".join(self.reasons) + "."


def advise(
    agreements: Sequence[float],
    gain: Interval | None,
    measured: Interval | None,
    target: float | None = None,
    batch: int = 0,
) -> Advice:
    """To stop when answers are stable, the next batch brings little, and the target, if there is
    one, is reached; else to keep labelling, with every reason that stands against stopping.

    `agreements` are kappas of each round with the one before, `gain` is what the next batch of
    `batch` labels brings, `measured` the quality on rows drawn by lot at 95 %.
    """
    recent = list(agreements)[-ROUNDS:]
    stable = len(recent) == ROUNDS and min(recent) >= STABLE
    little = gain is not None and gain.high < WORTH
    reached = target is None or (measured is not None and measured.low >= target)
    said = [
        _stability(recent, stable),
        _prospect(gain, batch, little),
        *([] if target is None else [_aim(measured, target, reached)]),
    ]
    stop = stable and little and reached
    holds = (stable, little, *([] if target is None else [reached]))
    return Advice(stop, tuple(s for s, held in zip(said, holds, strict=True) if held == stop))


def kappa(first: IntArray, second: IntArray, classes: int) -> float:
    """Cohen's kappa of two answers (N,) to the same rows; 1 where both give one class only.

    Source: Cohen 1960; as a rule for stopping, Bloodgood and Vijay-Shanker 2009.

    >>> kappa(np.array([0, 1, 1, 0]), np.array([0, 1, 0, 0]), 2)
    0.5
    """
    table = np.bincount(first * classes + second, minlength=classes**2).reshape(classes, classes)
    total = table.sum()
    met = float(np.trace(table) / total)
    chance = float(table.sum(0) @ table.sum(1) / total**2)
    return 1.0 if chance >= 1.0 else round((met - chance) / (1 - chance), 12)


def measured(right: FloatArray, level: float = 0.95) -> Interval | None:
    """The share of right answers (N,) among rows drawn by lot, with an exact interval; None
    without rows.

    Source: Clopper and Pearson 1934.
    """
    if not len(right):
        return None
    from scipy.stats import binomtest

    hits = round(float(right.sum()))
    ends = binomtest(hits, len(right)).proportion_ci(level, "exact")
    return Interval(hits / len(right), float(ends.low), float(ends.high), level)


def _stability(recent: Sequence[float], stable: bool) -> str:
    if stable:
        return f"answers have not changed for {ROUNDS} rounds (kappa {min(recent):.3f} or more)"
    if len(recent) < ROUNDS:
        return f"answers were compared over {len(recent)} of {ROUNDS} rounds"
    return f"answers still change between rounds (kappa {min(recent):.3f}, below {STABLE})"


def _prospect(gain: Interval | None, batch: int, little: bool) -> str:
    if gain is None:
        return "there is no learning curve yet"
    ends = f"{100 * gain.low:.1f} to {100 * gain.high:.1f} points"
    return f"the next {batch} labels bring {'only ' if little else ''}{ends}"


def _aim(found: Interval | None, target: float, reached: bool) -> str:
    if found is None:
        return f"no row drawn by lot tells yet whether {target:.1%} is reached"
    ends = f"{found.low:.1%} to {found.high:.1%}"
    if reached:
        return f"the target {target:.1%} is reached ({ends} on rows drawn by lot)"
    return f"the target {target:.1%} is not yet proved ({ends} on rows drawn by lot)"
