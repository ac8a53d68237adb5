"""Typical rows of those parts of the pool that have no label yet."""

from __future__ import annotations

import numpy as np

from luthier.evaluate.predictions import FloatArray, IntArray
from luthier.fewshot.asking.clusters import clusters
from luthier.fewshot.query import Standing

MOST_CLUSTERS, SMALLEST = 500, 3
NEIGHBOURS = 20
READ = 4000
"""Rows that are looked at; of a larger pool a random part, all labelled rows among them."""


class Coverage:
    """TypiClust: the most typical row of each cluster, those with the fewest labels first.

    Source: Hacohen, Dekel and Weinshall 2022, "Active Learning on a Budget", section 3.
    """

    name = "coverage"

    def ask(self, standing: Standing, count: int) -> IntArray:
        """At most one row of a cluster; clusters of fewer than three rows only when others ran
        out."""
        read = self._read(standing)
        unit = standing.unit[read]
        wanted = min(len(standing.labelled) + count, MOST_CLUSTERS, len(read))
        if not count or not wanted or not len(standing.open):
            return np.empty(0, np.int64)
        member = clusters(unit, wanted, standing.rng(self.name))
        open_ = np.isin(read, standing.open)
        labelled = np.bincount(member[np.isin(read, standing.labelled)], minlength=wanted)
        sizes = np.bincount(member, minlength=wanted)
        order = np.lexsort((-sizes, labelled, sizes < SMALLEST))
        chosen: list[int] = []
        while len(chosen) < count and open_.any():
            for cluster in order.tolist():
                inside = np.flatnonzero(member == cluster)
                free = inside[open_[inside]]
                if len(free) and len(chosen) < count:
                    best = int(free[_typicality(unit, free, inside).argmax()])
                    open_[best] = False
                    chosen.append(int(read[best]))
        return np.asarray(chosen, np.int64)

    def _read(self, standing: Standing) -> IntArray:
        shuffled = standing.rng(self.name + ", read").permutation(standing.open)
        room = max(READ - len(standing.labelled), READ // 2)
        return np.sort(np.concatenate([standing.labelled, shuffled[:room]]))


def _typicality(unit: FloatArray, free: IntArray, inside: IntArray) -> FloatArray:
    """Mean cosine of the rows `free` to their twenty nearest in the cluster `inside`."""
    near = np.sort(unit[free] @ unit[inside].T, axis=1)[:, ::-1]
    return np.asarray(near[:, 1 : NEIGHBOURS + 1].mean(axis=1) if len(inside) > 1 else near[:, 0])
