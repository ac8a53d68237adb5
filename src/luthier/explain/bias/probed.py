"""How much a word in the same place changes what a classifier says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from luthier.explain.attribution import Floats
from luthier.explain.bias.finding import FEWEST, Finding, looked_at, too_few
from luthier.explain.bias.probe import Probe
from luthier.explain.bias.rates import (
    FALSE_NEGATIVE,
    FALSE_POSITIVE,
    equality_difference,
    errors_of_probe,
    interval_of,
    odds_gap,
    weights_of,
)


@dataclass(frozen=True)
class Probed:
    """Draws of the measures of one probe for one choice of positive classes.

    `gaps` are each word's rate less that of all words (draws, M), by kind of error; `fped`,
    `fned` and `odds` (draws,) sum them up; the first draw is the value itself.
    """

    words: tuple[str, ...]
    negatives: int
    positives: int
    gaps: dict[str, Floats]
    scores: Floats
    """Each word's mean score of the positive classes less that of all words (draws, M)."""
    right: Floats
    """Each word's mean of its two rates of right answers (draws, M); of one where there is one."""

    @property
    def fped(self) -> Floats:
        """False positive equality difference (draws,)."""
        return equality_difference(self.gaps[FALSE_POSITIVE])

    @property
    def fned(self) -> Floats:
        """False negative equality difference (draws,)."""
        return equality_difference(self.gaps[FALSE_NEGATIVE])

    @property
    def odds(self) -> Floats:
        """Widest difference in either rate (draws,)."""
        return odds_gap(self.gaps[FALSE_POSITIVE], self.gaps[FALSE_NEGATIVE])

    @property
    def spread(self) -> Floats:
        """Mean distance of a word's score from that of all words (draws,)."""
        return np.asarray(np.abs(self.scores).mean(1))

    def findings(self, name: str) -> list[Finding]:
        """One for each word and kind of error, not yet corrected."""
        sizes = {FALSE_POSITIVE: self.negatives, FALSE_NEGATIVE: self.positives}
        found = []
        for kind, rows in sizes.items():
            for place, word in enumerate(self.words):
                measure = f"{kind}, {name}"
                if rows < FEWEST:
                    found.append(too_few(measure, word, rows, self.negatives + self.positives))
                else:
                    found.append(looked_at(measure, word, rows, self.gaps[kind][:, place]))
        return found

    def as_dict(self) -> dict[str, Any]:
        """The sums with their intervals, JSON-ready; None where a side has no carrier."""
        told: dict[str, Any] = {"negatives": self.negatives, "positives": self.positives}
        if not len(self.words):
            return told
        told["score_spread"] = plain(self.spread)
        told["fped"] = plain(self.fped) if self.negatives else None
        told["fned"] = plain(self.fned) if self.positives else None
        both = self.negatives and self.positives
        told["equalised_odds"] = plain(self.odds) if both else None
        return told


def probed(probe: Probe, chances: Floats, positive: Sequence[int], draws: int, seed: int) -> Probed:
    """What the classes' chances (K times M, C) say; whole carriers are drawn, so the words of one
    carrier stay together."""
    carriers, words = len(probe.carriers), len(probe.words)
    grid = chances.reshape(carriers, words, -1)
    decided = np.isin(grid.argmax(2), positive)
    score = grid[:, :, list(positive)].sum(2)
    truth = probe.truth(positive)
    weights = weights_of(carriers, draws, seed)
    kinds = (FALSE_POSITIVE, FALSE_NEGATIVE)
    errors = {kind: errors_of_probe(probe.words, truth, decided, kind) for kind in kinds}
    means = weights @ score / np.maximum(weights.sum(1, keepdims=True), 1)
    wrong = [e.rates(weights) for e in errors.values() if e.all_asked.any()]
    return Probed(
        probe.words, int((~truth).sum()), int(truth.sum()),
        {kind: one.gaps(weights) for kind, one in errors.items()},
        means - means.mean(1, keepdims=True),
        1 - np.mean(wrong, axis=0),
    )  # fmt: skip


def plain(draws: Floats) -> dict[str, float]:
    """A value with its interval."""
    return interval_of(draws).told()
