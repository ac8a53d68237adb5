"""Several rungs as one: what is wrong in one way is often right in another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from luthier.core.errors import FixData
from luthier.evaluate.predictions import FloatArray, IntArray
from luthier.fewshot.choosing.evidence import Credit
from luthier.fewshot.folds import Cut, cut_of
from luthier.fewshot.forms.blend import TINY, Blend, How, joined
from luthier.fewshot.rung import Known, Rung
from luthier.fewshot.rungs.lexical import LexicalRung
from luthier.fewshot.rungs.linear import Described
from luthier.fewshot.rungs.zero import ZeroShot

PRIOR = (0.25, 1.5, 1.0)
"""Powers of zero-shot, described probe and lexical before any evidence."""
FIRM = 5.0
"""How firmly the powers stay there, in nats per squared unit."""
LEARNT_FROM = 4.0
"""Rows per class, in the median or on the mean, below which held-out rows say nothing about the
powers: what is learnt without one of two rows is another thing."""


def three() -> tuple[Rung, ...]:
    """Zero-shot, described probe and lexical."""
    return (ZeroShot(), Described(), LexicalRung())


def _two() -> tuple[Rung, ...]:
    return (Described(), LexicalRung())


@dataclass(frozen=True)
class Mixed:
    """Members joined with fixed weights: `mean` of chances, or `scaled` logarithms."""

    name: str = "average"
    order: int = 4
    how: How = "mean"
    members: tuple[Rung, ...] = field(default_factory=_two)

    def refusal(self, known: Known) -> str:
        """What is in the way of a member."""
        return _refusal(self.members, known)

    def fit(self, known: Known) -> Blend:
        """Every member counts the same."""
        _require(self.refusal(known))
        made = [known.made(member) for member in self.members]
        return Blend(made, self.how, np.ones(len(made)))

    def held_out(self, cut: Cut) -> FloatArray:
        """Chances of the rows held out (M, C), from the members'."""
        found = [cut.chances(member) for member in self.members]
        return joined(found, self.how, np.ones(len(found)))


@dataclass(frozen=True)
class Stacked:
    """Members' chances multiplied, each to a power that held-out rows chose.

    The powers also set how sure the blend is, so it comes out calibrated. They are drawn to
    `PRIOR`, and stay there with fewer than four rows per class.

    Source: Wolpert, Stacked Generalization, 1992; Genest and Zidek, Combining Probability
    Distributions, 1986 (logarithmic pools).
    """

    name: str = "stacked"
    order: int = 6
    members: tuple[Rung, ...] = field(default_factory=three)
    prior: tuple[float, ...] = PRIOR
    credit: Credit | None = None

    def refusal(self, known: Known) -> str:
        """What is in the way of a member."""
        return _refusal(self.members, known)

    def fit(self, known: Known) -> Blend:
        """Powers from rows held out in turn, members from all rows."""
        _require(self.refusal(known))
        return self.joined(known, cut_of(known) if learnable(known) else None)

    def joined(self, known: Known, cut: Cut | None) -> Blend:
        """Members from all rows, powers from those that `cut` holds out, if there is one."""
        made = [known.made(member) for member in self.members]
        powers = np.asarray(self.prior)
        if cut is not None and cut.folds and learnable(known):
            powers = self._powers([cut.chances(m) for m in self.members], cut.truth)
        return Blend(made, "powers", powers)

    def held_out(self, cut: Cut) -> FloatArray:
        """Chances of the rows held out (M, C), with powers from the rows of other folds."""
        found, truth = [cut.chances(member) for member in self.members], cut.truth
        if not learnable(cut.known):
            return joined(found, "powers", np.asarray(self.prior))
        # One fold has no others: its rows are parted in two, each judged by the other's powers.
        owner = cut.owner if len(cut.folds) > 1 else np.arange(len(truth)) % 2
        return crossed(found, truth, np.asarray(self.prior), owner)

    def _powers(self, chances: Sequence[FloatArray], truth: IntArray) -> FloatArray:
        return powers_of(chances, truth, np.asarray(self.prior))


def learnable(known: Known) -> bool:
    """Whether there are rows enough to learn how sure a blend should be."""
    return max(known.per_class, len(known.rows) / len(known.labels)) >= LEARNT_FROM


def crossed(
    chances: Sequence[FloatArray], truth: IntArray, prior: FloatArray, owner: IntArray
) -> FloatArray:
    """All members together (N, C), the powers for each row from rows with another `owner` (N,)."""
    joint = np.zeros_like(chances[0])
    for part in np.unique(owner):
        mine = owner == part
        powers = powers_of([each[~mine] for each in chances], truth[~mine], prior)
        joint[mine] = joined([each[mine] for each in chances], "powers", powers)
    return joint


def powers_of(chances: Sequence[FloatArray], truth: IntArray, prior: FloatArray) -> FloatArray:
    """The powers (M,), none below zero, of least log loss on `truth` (N,) and nearness to `prior`.

    The problem is convex, so there is one answer.
    """
    from scipy.optimize import minimize

    logs = np.stack([np.log(np.maximum(each, TINY)) for each in chances])
    logs = logs - logs.mean(axis=2, keepdims=True)
    right = logs[:, np.arange(len(truth)), truth]

    def loss(powers: FloatArray) -> tuple[float, Any]:
        scores = np.tensordot(powers, logs, 1)
        top = scores.max(axis=1, keepdims=True)
        shares = np.exp(scores - top)
        total = shares.sum(axis=1, keepdims=True)
        nats = (top + np.log(total)).sum() - powers @ right.sum(axis=1)
        slope = np.einsum("nc,mnc->m", shares / total, logs) - right.sum(axis=1)
        away = powers - prior
        return float(nats + FIRM * away @ away), slope + 2 * FIRM * away

    bounds = [(0.0, None)] * len(prior)
    found = minimize(loss, prior, jac=True, method="L-BFGS-B", bounds=bounds)
    return np.asarray(found.x)


def _refusal(members: Sequence[Rung], known: Known) -> str:
    return next((why for m in members if (why := m.refusal(known))), "")


def _require(refusal: str) -> None:
    if refusal:
        raise FixData("labels to learn from", refusal)
