"""How often groups are wrongly flagged or wrongly passed, against everybody, with intervals.

Source: Dixon et al. 2018, "Measuring and Mitigating Unintended Bias in Text Classification",
section 4 (false positive and negative equality differences); Hardt et al. 2016, "Equality of
Opportunity in Supervised Learning" (equalised odds).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from luthier.core.seeds import derive
from luthier.core.types import Interval
from luthier.explain.attribution import Floats

FALSE_POSITIVE, FALSE_NEGATIVE = "false positive rate", "false negative rate"
KINDS = (FALSE_POSITIVE, FALSE_NEGATIVE)


@dataclass(frozen=True)
class Errors:
    """Rows (N) by groups (G): `asked` says where a rate is asked of a group, `wrong` where the
    answer was wrong; `all_asked` and `all_wrong` (N,) are what groups are set against."""

    groups: tuple[str, ...]
    asked: Floats
    wrong: Floats
    all_asked: Floats
    all_wrong: Floats

    @property
    def counts(self) -> list[int]:
        """Rows asked of each group (G,)."""
        return [int(n) for n in self.asked.sum(0)]

    def gaps(self, weights: Floats) -> Floats:
        """Each group's rate less everybody's (draws, G), for weights of the rows (draws, N)."""
        with np.errstate(invalid="ignore", divide="ignore"):
            everybody = (weights @ self.all_wrong) / (weights @ self.all_asked)
        return np.asarray(self.rates(weights) - everybody[:, None])

    def rates(self, weights: Floats) -> Floats:
        """Each group's share of wrong answers (draws, G)."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray((weights @ self.wrong) / (weights @ self.asked))


def errors_of(
    groups: Sequence[str], member: np.ndarray, truth: np.ndarray, decided: np.ndarray, kind: str
) -> Errors:
    """The errors of one kind among rows: `member` (N, G), `truth` and `decided` (N,)."""
    asked = ~truth if kind == FALSE_POSITIVE else truth
    wrong = asked & (decided != truth)
    return Errors(
        tuple(groups),
        (member & asked[:, None]).astype(float),
        (member & wrong[:, None]).astype(float),
        asked.astype(float),
        wrong.astype(float),
    )


def errors_of_probe(
    words: Sequence[str], truth: np.ndarray, decided: np.ndarray, kind: str
) -> Errors:
    """The same for a probe: `truth` (K,), `decided` (K, M); a row is a carrier with all words."""
    asked = ~truth if kind == FALSE_POSITIVE else truth
    wrong = asked[:, None] & (decided != truth[:, None])
    each = np.repeat(asked[:, None].astype(float), len(words), 1)
    return Errors(tuple(words), each, wrong.astype(float), each.sum(1), wrong.sum(1).astype(float))


def weights_of(rows: int, draws: int, seed: int) -> Floats:
    """How often each row is drawn (draws + 1, N); the first line is every row once."""
    dice = np.random.default_rng(derive(seed, "bias draws", rows, draws))
    drawn = dice.multinomial(rows, np.full(rows, 1 / max(1, rows)), size=draws)
    return np.concatenate([np.ones((1, rows)), drawn.astype(float).reshape(draws, rows)])


def equality_difference(gaps: Floats) -> Floats:
    """The gaps of all groups added without their signs (draws,): FPED or FNED."""
    return np.asarray(np.abs(gaps).sum(1))


def odds_gap(false_positive: Floats, false_negative: Floats) -> Floats:
    """The widest difference between two groups in either rate (draws,): equalised odds."""
    spans = [g.max(1) - g.min(1) for g in (false_positive, false_negative)]
    return np.asarray(np.maximum(*spans))


def interval_of(values: Floats, level: float = 0.95) -> Interval:
    """The first value with the percentile interval of the others, which always holds it."""
    point, rest = float(values[0]), values[1:][np.isfinite(values[1:])]
    if not len(rest):
        return Interval(point, point, point, level)
    low, high = np.quantile(rest, [(1 - level) / 2, (1 + level) / 2])
    return Interval(point, min(float(low), point), max(float(high), point), level)
