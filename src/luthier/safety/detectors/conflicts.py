"""Nearly equal texts with different labels."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from luthier.data.audits.duplicates import near_copies, signatures
from luthier.data.mappings.text import normalise
from luthier.safety.detector import Evidence, Suspicion


@dataclass(frozen=True)
class ConflictingCopies:
    """Clusters of duplicates and near-duplicates whose rows do not agree on the label.

    In a cluster with a majority only the others are suspected; without one, all of them.

    Source: Broder 1997, "On the resemblance and containment of documents".
    """

    name: str = "conflicting-copies"

    def lacks(self, evidence: Evidence) -> str:
        """Labels are needed."""
        return "" if evidence.labels is not None else "answers that repeat are needed"

    def find(self, evidence: Evidence) -> list[Suspicion]:
        """One suspicion per cluster, the largest first."""
        assert evidence.labels is not None
        found = []
        for rows in _clusters([normalise(text) for text in evidence.texts]):
            counts = Counter(evidence.labels[row] for row in rows).most_common()
            if len(counts) == 1:
                continue
            decided = counts[0][1] > counts[1][1]
            wrong = [r for r in rows if not decided or evidence.labels[r] != counts[0][0]]
            said = ", ".join(f"{label!r} {count} times" for label, count in counts[:4])
            found.append(
                Suspicion(
                    self.name,
                    f"{len(rows)} nearly equal texts are labelled {said}",
                    "decide on one label for these texts",
                    tuple(wrong),
                    float(len(rows)),
                )
            )
        return sorted(found, key=lambda s: -s.score)


def _clusters(texts: list[str]) -> list[list[int]]:
    """Rows joined by equal or nearly equal texts, only clusters of two and more."""
    parent = list(range(len(texts)))

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    first: dict[str, int] = {}
    for row, text in enumerate(texts):
        parent[row] = first.setdefault(text, row)
    singles = np.array(sorted(first.values()), np.int64)
    signed = signatures(texts)

    def said(rows: np.ndarray) -> list[str]:
        return [texts[int(row)] for row in rows]

    for a, b in near_copies(signed, singles, singles, said).items():
        parent[root(a)] = root(b)
    groups: dict[int, list[int]] = {}
    for row in range(len(texts)):
        groups.setdefault(root(row), []).append(row)
    return [rows for rows in groups.values() if len(rows) > 1]
