"""Whether exchanging a word for another of its kind turns the answer.

Source: Garg et al. 2019, "Counterfactual Fairness in Text Classification through Robustness".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from luthier.explain.attribution import Floats
from luthier.explain.bias.finding import FEWEST
from luthier.explain.bias.probe import Swap
from luthier.explain.bias.probed import plain
from luthier.explain.bias.rates import weights_of


def flips(
    found: Sequence[Swap], before: Floats, after: Floats, positive: Sequence[int], draws: int,
    seed: int,
) -> dict[str, dict[str, Any]]:  # fmt: skip
    """By axis: the share of exchanges that turn the answer, and how far they move the score.

    `before` and `after` (N, C) are the chances of each exchange's old and new text. Whole rows are
    drawn. An axis with fewer than 30 rows says so, with its count.
    """
    sides = [np.isin(one.argmax(1), positive) for one in (before, after)]
    turned = (sides[0] != sides[1]).astype(float)
    chosen = list(positive)
    moved = np.abs(after[:, chosen].sum(1) - before[:, chosen].sum(1))
    told: dict[str, dict[str, Any]] = {}
    for axis in dict.fromkeys(swap.axis for swap in found):
        places = np.asarray([i for i, swap in enumerate(found) if swap.axis == axis])
        rows, owner = np.unique([found[i].row for i in places], return_inverse=True)
        if len(rows) < FEWEST:
            why = f"{len(rows)} rows say a word of it, {FEWEST} are needed"
            told[axis] = {"rows": len(rows), "why": why}
            continue
        weights = weights_of(len(rows), draws, seed)[:, owner]
        told[axis] = {
            "rows": len(rows),
            "exchanges": len(places),
            "flip_rate": plain(weights @ turned[places] / weights.sum(1)),
            "score_gap": plain(weights @ moved[places] / weights.sum(1)),
        }
    return told
