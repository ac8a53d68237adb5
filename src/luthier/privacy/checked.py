"""Prices that are told: each was found twice, in two ways."""

from __future__ import annotations

import math
from collections.abc import Sequence

from luthier.core.errors import CheckRun
from luthier.privacy.accountant import total
from luthier.privacy.event import Event
from luthier.privacy.renyi import renyi_epsilon, second_epsilon

MOST_APART = 0.05
"""Accountants that differ by more are both not believed."""


def checked(events: Sequence[Event], delta: float) -> float:
    """Epsilon at `delta` of everything together.

    Raises: CheckRun when a second accountant differs by more than 0.05 (above epsilon 10: half a
    percent), or moments of the losses promise less; FixRecipe as `accountant.total`.
    """
    first = total(events, delta)
    if first == 0 or math.isinf(first):
        return first
    second, bound = second_epsilon(events, delta), renyi_epsilon(events, delta)
    apart = max(MOST_APART, 0.005 * first)
    if abs(first - second) > apart or first > bound + apart:
        raise CheckRun(
            "the privacy accountant",
            f"two ways to price the run give epsilon {first:.3f} and {second:.3f} "
            f"(at most {bound:.3f} by moments)",
            f"at most {apart:.2g} apart",
            "report this with the ledger; no epsilon is told for this run",
        )
    return first
