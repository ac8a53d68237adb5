"""Self-training: rows of the pool whose class two views agree on, beside the labelled ones."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from luthier.core.errors import FixData
from luthier.core.seeds import derive
from luthier.evaluate.predictions import FloatArray, IntArray
from luthier.fewshot.choosing.evidence import Credit
from luthier.fewshot.rung import Asked, Fitted, Known, Rung
from luthier.fewshot.rungs.blends import Stacked
from luthier.fewshot.rungs.lexical import LexicalRung
from luthier.fewshot.rungs.linear import Described
from luthier.fewshot.rungs.zero import ZeroShot

TIMES, MOST = 4, 200
"""A class gets at most so many pool rows for each of its labelled ones, and so many in all."""
SHARE = 0.5
"""Of the rows of a class on which the views agree, the surer half."""
WEIGHT = 0.3
"""What a pool row counts beside a labelled one."""
LOOKED = 1500
"""Texts of the pool that are answered, drawn by lot where there are more: each fold answers them
anew, and few of them are learnt from."""
LEAST = 50
"""Texts below which a pool adds nothing that could be told from chance."""
CREDIT = Credit(0.007, 0.007, per_class=32)
"""What `self-trained` brought over the stacked blend on the six sets of `bench/fewshot`; with fewer
rows per class it took as much on some sets as it brought on others."""


@dataclass(frozen=True)
class WithPool:
    """A rung that learns from pool rows too, in one round.

    The classes that vectors and words give a text must agree. Each fold answers the pool anew, so
    that no held-out label reaches it; whether it helps is for the folds to show.

    Source: Blum and Mitchell, Combining Labeled and Unlabeled Data with Co-Training, 1998.
    """

    inner: Rung
    order: int = 7

    @property
    def name(self) -> str:
        """The rung's, marked."""
        return f"{self.inner.name}, with the pool"

    def refusal(self, known: Known) -> str:
        """What is in the way of the views, and of the rung."""
        if len(known.pool) < LEAST:
            return f"{len(known.pool)} texts without labels, and {LEAST} are needed"
        return LexicalRung().refusal(known) or self.inner.refusal(known)

    def fit(self, known: Known) -> Fitted:
        """The rung, fitted to labelled rows and pool rows."""
        if refused := self.refusal(known):
            raise FixData("labels to learn from", refused)
        if "widened" not in known.__dict__:
            known.__dict__["widened"] = widened(known)
        whole: Known = known.__dict__["widened"]
        return whole.made(self.inner)


def widened(known: Known) -> Known:
    """What is known, with pool rows among the labelled ones; the others stay in the pool."""
    pool, rows = known.pool, known.rows
    random = np.random.default_rng(derive(known.seed, "pool that teaches"))
    some = np.sort(random.permutation(len(pool))[:LOOKED])
    asked = pool.take(some) if len(some) < len(pool) else pool
    views = [known.made(rung).probabilities(asked) for rung in (Described(), LexicalRung())]
    places, classes = agreed(views[0], views[1], known.counts)
    places = some[places]
    chosen = pool.take(places)
    both = rows.tokens is not None and chosen.tokens is not None
    joined = Asked(
        [*rows.texts, *chosen.texts],
        np.concatenate([rows.vectors, chosen.vectors]),
        [*(rows.tokens or ()), *(chosen.tokens or ())] if both else None,
    )
    return replace(
        known,
        rows=joined,
        truth=np.concatenate([known.truth, classes]),
        groups=None,
        weights=np.concatenate([known.row_weights, np.full(len(places), WEIGHT)]),
        taught=np.isin(np.arange(len(joined)), known.judged, invert=True),
        pool=pool.take(np.setdiff1d(np.arange(len(pool)), places)),
    )


def agreed(one: FloatArray, two: FloatArray, counts: IntArray) -> tuple[IntArray, IntArray]:
    """Places of texts whose class two views (N, C) agree on, and that class.

    Of each class the surer half, and no more than four for each of its `counts` (C,) labelled
    rows, so that frequent classes do not crowd out others.
    """
    said = one.argmax(axis=1)
    sure = np.sqrt(one.max(axis=1) * two.max(axis=1))
    same = said == two.argmax(axis=1)
    chosen = []
    for number, count in enumerate(counts.tolist()):
        own = np.flatnonzero(same & (said == number))
        most = min(MOST, TIMES * count, int(SHARE * len(own)))
        chosen.append(own[np.argsort(-sure[own], kind="stable")][:most])
    places = np.sort(np.concatenate(chosen)) if chosen else np.zeros(0, np.int64)
    return places, said[places]


def self_trained() -> Stacked:
    """The stacked blend with probe and words that learn from the pool too."""
    members = (ZeroShot(), WithPool(Described()), WithPool(LexicalRung()))
    return Stacked("self-trained", 7, members, credit=CREDIT)
