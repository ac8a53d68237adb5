"""How the weight of words moved between two models that were asked the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from luthier.explain.attribution import Attribution, Floats, Passage
from luthier.explain.bias.finding import Finding, corrected
from luthier.explain.change.paired import FEWEST, mean_of

MEASURE = "share of the attribution"


@dataclass(frozen=True)
class Moved:
    """A word's mean share of the attribution before and after, and the finding on the change."""

    finding: Finding
    before: float
    after: float

    def told(self) -> dict[str, Any]:
        """JSON-ready."""
        found = self.finding
        return {
            "word": found.group, "rows": found.rows, "before": self.before, "after": self.after,
            "change": found.value, "low": found.low, "high": found.high,
            "p_value": found.p_value, "verdict": found.verdict, "certifiable": found.certifiable,
        }  # fmt: skip


def shares(told: Attribution) -> Floats:
    """Scores of words (W,) as signed shares of all their sizes together; zeros where all are."""
    whole = float(np.abs(told.scores).sum())
    return told.scores / whole if whole > 0 else np.zeros(len(told.scores))


def shifts(before: Sequence[Attribution], after: Sequence[Attribution]) -> Floats:
    """How much of each attribution moved (N,): 0 for the same shares, 1 where nothing is left."""
    return np.asarray(
        [np.abs(shares(b) - shares(a)).sum() / 2 for b, a in zip(before, after, strict=True)]
    )


def moved(
    passages: Sequence[Passage], before: Sequence[Attribution], after: Sequence[Attribution]
) -> tuple[list[Moved], int]:
    """Words in at least 8 rows, the widest change first, corrected by Holm's steps; and how many
    words stand in fewer. A word that stands in a row several times counts there once, together."""
    rows: dict[str, list[tuple[float, float]]] = {}
    for passage, old, new in zip(passages, before, after, strict=True):
        own: dict[str, list[float]] = {}
        pairs = zip(passage.spelt, np.abs(shares(old)), np.abs(shares(new)), strict=True)
        for word, one, two in pairs:
            sums = own.setdefault(word.lower(), [0.0, 0.0])
            sums[0] += float(one)
            sums[1] += float(two)
        for word, (one, two) in own.items():
            rows.setdefault(word, []).append((one, two))
    often = {word: np.asarray(pairs) for word, pairs in rows.items() if len(pairs) >= FEWEST}
    findings = corrected(
        [mean_of(MEASURE, word, pairs[:, 1] - pairs[:, 0]) for word, pairs in often.items()]
    )
    found = [
        Moved(finding, *map(float, pairs.mean(0)))
        for finding, pairs in zip(findings, often.values(), strict=True)
    ]
    found.sort(key=lambda one: (-abs(one.finding.value or 0.0), one.finding.group))
    return found, len(rows) - len(often)
