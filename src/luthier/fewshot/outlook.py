"""What more labels would bring, told by the labels there are: a rung learnt from parts of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from luthier.core.seeds import derive
from luthier.evaluate.predictions import FloatArray, IntArray
from luthier.fewshot.asking.learner import STARTED
from luthier.fewshot.choosing.choose import COSTLY
from luthier.fewshot.curve import Curve
from luthier.fewshot.folds import Cut, Fold, cut_of, held_out
from luthier.fewshot.rung import Known, Rung

SHARES = (0.125, 0.25, 0.5)
"""Parts of the rows to learn from at which a rung is measured, beside all of them."""
LEAST = 20
"""Rows held out that a curve needs: fewer tell nothing of where it leads."""
ALONE = ("linear probe", "lexical")
"""Rungs to which descriptions are no labels."""


@dataclass(frozen=True, eq=False)
class Outlook:
    """The learning curve of a rung, and what was measured of it: so many labels gave such an
    accuracy on the `rows` held out, each (P,)."""

    rung: str
    curve: Curve
    rows: int
    sizes: FloatArray
    accuracy: FloatArray


def outlook(known: Known, rung: Rung) -> Outlook | None:
    """The curve of `rung` through nested parts of the labelled rows, always judged on rows that
    were left out; None where too few can be held out.

    Parts keep the shares of the classes as far as whole rows can.
    """
    if len(known.judged) < len(known.rows):
        known = known.only(known.judged)
    if len(known.rows) < LEAST or rung.refusal(known):
        return None
    cut = cut_of(known)
    if len(known.rows) * len(known.labels) > COSTLY:
        cut = cut.first(1)
    if len(cut.held) < LEAST:
        return None
    right = np.stack([*(_part(rung, cut, share) for share in SHARES), _whole(rung, cut)], axis=1)
    whole = float(np.mean([len(fold.learn) for fold in cut.folds]))
    sizes = np.asarray([*(share * whole for share in SHARES), whole])
    usable = np.isfinite(right).any(axis=0)
    right, sizes = right[:, usable], sizes[usable]
    started = 0.0 if rung.name in ALONE else STARTED * len(known.labels)
    curve = Curve.fit(sizes, right, started, known.seed, float(len(known.rows)))
    return Outlook(rung.name, curve, len(cut.held), sizes, np.nanmean(right, axis=0))


def _whole(rung: Rung, cut: Cut) -> FloatArray:
    return np.asarray(held_out(rung, cut).argmax(axis=1) == cut.truth, np.float64)


def _part(rung: Rung, cut: Cut, share: float) -> FloatArray:
    """Whether rows held out are answered rightly (M,) by a rung that learnt from `share` of the
    others; NaN where it can't learn from so few."""
    found = []
    for place, fold in enumerate(cut.folds):
        some = cut.known.only(part_of(cut.known, fold, share, place))
        if not len(some.rows) or rung.refusal(some):
            found.append(np.full(len(fold.check), np.nan))
            continue
        asked = cut.known.rows.take(fold.check)
        answers = rung.fit(some).probabilities(asked).argmax(axis=1)
        found.append(np.asarray(answers == cut.known.truth[fold.check], np.float64))
    return np.concatenate(found)


def part_of(known: Known, fold: Fold, share: float, place: int = 0) -> IntArray:
    """Rows of a fold to learn from, in order; a smaller share is part of a larger one."""
    random = np.random.default_rng(derive(known.seed, "parts", place))
    mixed = fold.learn[random.permutation(len(fold.learn))]
    truth = known.truth[mixed]
    counts = np.bincount(truth, minlength=len(known.labels))
    order = np.argsort(truth, kind="stable")
    rank = np.empty(len(mixed))
    rank[order] = np.concatenate([np.arange(n) for n in counts]) if len(mixed) else []
    # A row's place in its class, as a share of the class: classes are taken up evenly.
    turn = (rank + random.random(len(mixed))) / counts[truth]
    return np.sort(mixed[np.argsort(turn, kind="stable")][: round(share * len(mixed))])
