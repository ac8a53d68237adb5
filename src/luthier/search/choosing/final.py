"""Which trial is shipped: cheaper ones have a little grace, and the default is never lost to.

Sources: Breiman et al. 1984, section 3.4.3, for the one-standard-error rule, halved here;
Stouffer et al. 1949 for joining two independent pieces of evidence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from luthier.search.choosing.paired import Difference, difference
from luthier.search.trial import Observation, Trial

SURE = 0.9
"""Least probability of being better than the default, by the belief from the rows that chose and
the rows that chose nothing together: either half alone is small."""

FARTHEST = 3.0
"""Standard deviations that one half may count for at most."""


def provable_lead(noise: float) -> float:
    """The least lead over the default that would ship, where each half of the validation rows
    measures a trial with such an error: halves with sqrt(2) of it each, joined."""
    return float(norm.ppf(SURE) * noise)


@dataclass(frozen=True)
class Candidate:
    """A finished configuration: its trials with different seeds, and what each showed on the
    second half of the validation rows. `belief` is its believed relative score, `error` the
    standard error of that, `cost` the seconds of one whole run."""

    trials: tuple[Trial, ...]
    confirmed: tuple[Observation, ...]
    belief: float
    error: float
    cost: float

    @property
    def name(self) -> str:
        """The id of its first trial."""
        return self.trials[0].id


@dataclass(frozen=True)
class Choice:
    """What is shipped and why; `against_default` is its advantage on the second half."""

    winner: Candidate
    default: Candidate
    against_default: Difference
    why: str

    @property
    def is_default(self) -> bool:
        """Whether nothing better than the default was found."""
        return self.winner.name == self.default.name


def choose(candidates: Sequence[Candidate], default: Candidate, sure: float = SURE) -> Choice:
    """The candidate to ship.

    The best by belief; a cheaper one within half a standard error of it goes first; and the default
    itself when the choice does not lead it on the second half or is not likely enough to be better.
    """
    if not candidates:
        why = "nothing beside the default was trained to its end"
        return Choice(default, default, Difference(0.0, 0.0, 0), why)
    best = max([*candidates, default], key=lambda c: c.belief)
    near = [c for c in [*candidates, default] if c.belief >= best.belief - _grace(best, c)]
    picked = min(near, key=lambda c: (c.cost, -c.belief)) if _cheaper(near, best) else best
    if picked.name == default.name:
        return Choice(default, default, Difference(0.0, 0.0, 0), "the default was already best")
    proof = pooled(picked, default)
    if proof.mean <= 0 or _chance(picked, default, proof) < sure:
        return Choice(
            default, default, proof,
            f"{picked.name} led on the rows that chose it, but on rows that chose nothing its "
            f"advantage of {proof.mean:+.4f} ({proof.error:.4f}) is not sure enough",
        )  # fmt: skip
    why = f"its advantage over the default is {proof.mean:+.4f} ({proof.error:.4f}) on other rows"
    return Choice(picked, default, proof, why)


def pooled(first: Candidate, second: Candidate) -> Difference:
    """The advantage on the second half, averaged over the seeds that both have."""
    pairs = list(zip(first.confirmed, second.confirmed, strict=False))
    found = [difference(one, other) for one, other in pairs]
    if not found:
        return Difference(0.0, 0.0, 0)
    # The rows are the same for all seeds, so seeds average the noise of training only.
    mean = float(np.mean([d.mean for d in found]))
    error = float(np.mean([d.error for d in found]))
    return Difference(mean, error, found[0].rows)


def _chance(picked: Candidate, default: Candidate, proof: Difference) -> float:
    """Probability that the choice is better, from both halves as two independent tests."""
    width = max(float(np.hypot(picked.error, default.error)), 1e-9)
    first = (picked.belief - default.belief) / width
    second = float(norm.ppf(proof.chance))
    both = np.clip([first, second], -FARTHEST, FARTHEST)
    return float(norm.cdf(both.sum() / np.sqrt(2)))


def _grace(best: Candidate, other: Candidate) -> float:
    return 0.0 if other is best else best.error * 0.5


def _cheaper(near: Sequence[Candidate], best: Candidate) -> bool:
    return any(c.cost < 0.8 * best.cost for c in near)
