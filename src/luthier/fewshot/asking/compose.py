"""A batch of questions: some by lot, the rest where a label teaches most, each with its reason."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from luthier.core.errors import FixRecipe, nearest
from luthier.fewshot.queries.balanced import Balanced
from luthier.fewshot.queries.chance import Chance
from luthier.fewshot.queries.coverage import Coverage
from luthier.fewshot.queries.margin import Margin
from luthier.fewshot.queries.rare import Rare
from luthier.fewshot.query import Query, Standing

HONEST, ENOUGH, FEWER = 0.2, 60, 0.1
"""Share of a batch that is drawn by lot, and what it falls to from so many such rows on; only
these rows tell how good the model is."""
TURNS = 2
"""Labels per class, on the mean, up to which classes are asked in turn; then doubt alone counts."""
COVERED = 1
"""Labels per class from which the model's own doubts say more than the shape of the pool. More
covering finds the same large clusters again where classes differ in size."""
SMALLEST, GROWTH = 10, 0.1
"""A batch has so many rows at least, and this share of the labels so far."""

QUERIES: Mapping[str, Query] = {
    q.name: q for q in (Chance(), Coverage(), Margin(), Balanced(), Rare())
}
MIXED = "mixed"
STRATEGIES = (MIXED, *QUERIES)
WHY: Mapping[str, str] = {
    "random": "drawn by lot, so that what is measured stays honest",
    "coverage": "typical of a region of texts without a label",
    "margin": "the two likeliest classes are close",
    "balanced": "a doubtful text of a class with few labels",
    "rare": "may belong to a rare class",
}
"""Why a query asks for a row, for people."""


@dataclass(frozen=True)
class Question:
    """A row of the pool that a person is asked, and the name of the query that chose it."""

    place: int
    quota: str


def batch_size(classes: int, labels: int) -> int:
    """How many questions are asked between two fits."""
    return max(classes, SMALLEST, math.ceil(GROWTH * labels))


def compose(standing: Standing, size: int, strategy: str = MIXED) -> list[Question]:
    """At most `size` different open rows in an order that tells nothing of them.

    One in five is drawn by lot, later one in ten, so that whoever stops in the middle of a batch
    keeps an honest share. Fewer rows come back where the pool has no more.

    Raises: FixRecipe for an unknown strategy.
    """
    found: dict[int, str] = {}
    for name, share in _shares(standing, strategy):
        rest = size - len(found)
        count = rest if share is None else min(rest, math.ceil(share * size))
        left = standing.without(np.fromiter(found, np.int64, len(found)))
        found |= dict.fromkeys(QUERIES[name].ask(left, count).tolist(), name)
    order = standing.rng("order").permutation(len(found))
    asked = [Question(place, quota) for place, quota in found.items()]
    return [asked[i] for i in order]


def _shares(standing: Standing, strategy: str) -> list[tuple[str, float | None]]:
    """Queries in turn with their share of the batch, None for all that is left."""
    if strategy not in STRATEGIES:
        near = nearest(strategy, STRATEGIES)
        raise FixRecipe(
            "strategy",
            f"{strategy!r} is none",
            f"allowed are {', '.join(STRATEGIES)}",
            f"did you mean {near!r}?" if near else "",
        )
    labels = int(standing.counts.sum())
    lots = HONEST if HONEST * labels < ENOUGH else FEWER
    honest: list[tuple[str, float | None]] = [(Chance.name, lots)]
    if strategy == Chance.name:
        return [(Chance.name, None)]
    if strategy != MIXED:
        return [*honest, (strategy, None), (Margin.name, None)]
    if labels < COVERED * len(standing.counts):
        return [*honest, (Coverage.name, None), (Chance.name, None)]
    doubt = Balanced if labels < TURNS * len(standing.counts) else Margin
    return [*honest, (doubt.name, None)]
