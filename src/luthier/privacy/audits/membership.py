"""Who was in the training data? How well the gain over the untouched base tells.

The score of a row is its loss under a reference that never learnt from it minus its loss under
the tuned model. Comparing that with the same of a population, as RMIA does, keeps the order of
the scores, so every rate and area below is that attack's too.

Source: Carlini et al. 2022, "Membership Inference Attacks From First Principles"; Zarifzadeh et
al. 2024, "Low-Cost High-Power Membership Inference Attacks"; DeLong et al. 1988 for the area.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, rankdata

from luthier.core.types import Interval

FloatArray = NDArray[np.float64]

RATES = (0.001, 0.01)
"""False-positive rates at which the attack is told."""

FEWEST_ABOVE = 3
"""So many rows that were not trained on must lie above a threshold, or it is not measurable."""

_DRAWS = 400


@dataclass(frozen=True)
class Membership:
    """Area under the curve (0.5 is guessing), and the share of members found at each rate of
    false alarms; None where there are too few rows to measure it."""

    members: int
    others: int
    area: Interval
    found: dict[float, Interval | None]


@dataclass(frozen=True)
class Exposed:
    """A training row that stands out: its number in the file, its score, and the share of rows
    that were not trained on and score as high."""

    row: int
    score: float
    as_high: float


def membership(members: FloatArray, others: FloatArray, seed: int) -> Membership:
    """How well scores tell members (M,) from others (K,); both at least two."""
    return Membership(
        len(members),
        len(others),
        area(members, others),
        {rate: found_at(members, others, rate, seed) for rate in RATES},
    )


def area(members: FloatArray, others: FloatArray, level: float = 0.95) -> Interval:
    """The chance that a member scores higher than another row, with DeLong's interval."""
    count, rest = len(members), len(others)
    together = rankdata(np.concatenate([members, others]))
    own, theirs = rankdata(members), rankdata(others)
    by_member = (together[:count] - own) / rest
    by_other = 1 - (together[count:] - theirs) / count
    value = float(by_member.mean())
    variance = by_member.var(ddof=1) / count + by_other.var(ddof=1) / rest
    # At the ends the estimate has no spread; the bound of a proportion stands in for it.
    spread = max(math.sqrt(variance), 1 / (2 * min(count, rest)))
    reach = norm.ppf((1 + level) / 2) * spread
    return Interval(value, max(0.0, value - reach), min(1.0, value + reach), level)


def found_at(
    members: FloatArray, others: FloatArray, rate: float, seed: int, level: float = 0.95
) -> Interval | None:
    """The share of members above the threshold that at most `rate` of the others exceed.

    The interval is a bootstrap over both, as the threshold is uncertain too. None with fewer than
    three others above the threshold: nothing can be said then.
    """
    if len(others) * rate < FEWEST_ABOVE:
        return None
    random = np.random.default_rng(seed)
    draws = [
        _share(random.choice(members, len(members)), random.choice(others, len(others)), rate)
        for _ in range(_DRAWS)
    ]
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return Interval(_share(members, others, rate), float(low), float(high), level)


def _share(members: FloatArray, others: FloatArray, rate: float) -> float:
    above = math.floor(len(others) * rate)
    threshold = np.partition(others, len(others) - above - 1)[len(others) - above - 1]
    return float((members > threshold).mean())


def exposed(
    members: FloatArray, rows: NDArray[np.int64], others: FloatArray, count: int
) -> list[Exposed]:
    """The members that stand out most, the most exposed first."""
    order = np.argsort(-members, kind="stable")[:count]
    ranked = np.sort(others)
    higher = len(others) - np.searchsorted(ranked, members[order], side="left")
    return [
        Exposed(int(rows[i]), float(members[i]), float(n / len(others)))
        for i, n in zip(order, higher, strict=True)
    ]
