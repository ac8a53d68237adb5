"""Rows whose text clearly means another label than the one they carry."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from luthier.safety.detector import Evidence, Suspicion


@dataclass(frozen=True)
class FlippedLabels:
    """Rows that a model of all other rows is sure to label otherwise, class by class.

    Also finds honest mistakes and hard rows, so each is to be read, not removed unseen.

    Source: Northcutt, Jiang and Chuang 2021, "Confident Learning".
    """

    name: str = "flipped-labels"

    def lacks(self, evidence: Evidence) -> str:
        """Labels that repeat are needed, and two of them."""
        if evidence.labels is None or len(set(evidence.labels)) < 2:
            return "answers that repeat are needed"
        return ""

    def find(self, evidence: Evidence) -> list[Suspicion]:
        """One suspicion per class that has such rows, the largest first."""
        wrong = evidence.content.mistaken
        found = []
        for place, label in enumerate(evidence.names):
            rows = np.flatnonzero(wrong & (evidence.truth == place))
            if len(rows):
                found.append(
                    Suspicion(
                        self.name,
                        f"{len(rows)} rows labelled {label!r} read like another label",
                        "check their labels by hand",
                        tuple(map(int, rows)),
                        float(len(rows)),
                        target=label,
                    )
                )
        return sorted(found, key=lambda s: -s.score)
