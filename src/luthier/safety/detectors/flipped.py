"""Rows whose text clearly means another label than the one they carry."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from luthier.safety.detector import Evidence, Suspicion
from luthier.safety.poison.content import Content
from luthier.safety.poison.phrases import Phrases


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
        assert evidence.labels is not None
        labels = sorted(set(evidence.labels))
        number = {label: i for i, label in enumerate(labels)}
        answers = np.array([number[label] for label in evidence.labels], np.int64)
        phrases = Phrases.of(evidence.texts, 1)
        wrong = Content(phrases, answers, len(labels), evidence.features).mistaken
        found = []
        for label in labels:
            rows = np.flatnonzero(wrong & (answers == number[label]))
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
