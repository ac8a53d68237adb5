"""Characters that are marked and should be, over rows of a set, with intervals over groups."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

Marked = Callable[[str], list[tuple[int, int]]]


@dataclass(frozen=True)
class Counts:
    """Letters and digits by row: right, too many, missed; and the group of each row."""

    right: np.ndarray
    extra: np.ndarray
    missed: np.ndarray
    groups: np.ndarray

    def figures(self, rows: np.ndarray | slice = slice(None)) -> tuple[float, float]:
        """Precision and recall."""
        right = self.right[rows].sum()
        return (
            float(right / max(1, right + self.extra[rows].sum())),
            float(right / max(1, right + self.missed[rows].sum())),
        )

    def intervals(self, draws: int = 1000, seed: int = 5) -> tuple[list[float], list[float]]:
        """95 % intervals of precision and recall by drawing whole groups again."""
        chance = np.random.default_rng(seed)
        names = np.unique(self.groups)
        members = [np.flatnonzero(self.groups == name) for name in names]
        found = []
        for _ in range(draws):
            picked = chance.integers(len(names), size=len(names))
            found.append(self.figures(np.concatenate([members[i] for i in picked])))
        low, high = np.percentile(np.asarray(found), [2.5, 97.5], axis=0)
        return [float(low[0]), float(high[0])], [float(low[1]), float(high[1])]


def count(rows: Sequence[dict], marks: Sequence[list[list[int]]], kinds: set[str] | None) -> Counts:
    """Counts of marks against the spans of `kinds` (all when None), whatever they are called.

    Marks on spans of other kinds count neither way.
    """
    table = []
    for row, marked in zip(rows, marks, strict=True):
        text = row["text"]
        counted = np.asarray([c.isalnum() for c in text], bool)
        truth, found = np.zeros(len(text), bool), np.zeros(len(text), bool)
        for start, end, kind in row["spans"]:
            if kinds is None or kind in kinds:
                truth[start:end] = True
        for start, end in marked:
            found[start:end] = True
        table.append([(counted & m).sum() for m in (truth & found, found & ~truth, truth & ~found)])
    right, extra, missed = np.asarray(table).T
    groups = np.asarray([row.get("group", str(i)) for i, row in enumerate(rows)])
    return Counts(right, extra, missed, groups)
