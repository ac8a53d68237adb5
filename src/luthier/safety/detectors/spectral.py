"""Rows that stand apart from their class along its strongest direction."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from luthier.safety.detector import Evidence, Suspicion


@dataclass(frozen=True)
class SpectralSignature:
    """Rows of a class whose vectors are outliers along the class's first singular direction.

    A class is named only where its outliers form a group of their own: the scores of the suspected
    rows exceed `gap` times the median score of the class.

    Source: Tran, Li and Madry 2018, "Spectral Signatures in Backdoor Attacks", algorithm 1.
    """

    gap: float = 30.0
    least_rows: int = 20
    most_share: float = 0.15
    name: str = "spectral"

    def lacks(self, evidence: Evidence) -> str:
        """Labels and the model's vectors are needed."""
        if evidence.labels is None:
            return "answers that repeat are needed"
        return "" if evidence.features is not None else "vectors of a model are needed"

    def find(self, evidence: Evidence) -> list[Suspicion]:
        """One suspicion per class that has such a group, the sharpest first."""
        assert evidence.labels is not None and evidence.features is not None
        labels = np.array(evidence.labels)
        found = []
        for label in sorted(set(evidence.labels)):
            rows = np.flatnonzero(labels == label)
            if len(rows) < self.least_rows:
                continue
            vectors = evidence.features[rows].astype(np.float64)
            centred = vectors - vectors.mean(0)
            direction = np.linalg.svd(centred, full_matrices=False)[2][0]
            scores = (centred @ direction) ** 2
            middle = float(np.median(scores)) or 1e-12
            out = np.flatnonzero(scores > self.gap * middle)
            if not 2 <= len(out) <= self.most_share * len(rows):
                continue
            found.append(
                Suspicion(
                    self.name,
                    f"{len(out)} of {len(rows)} rows labelled {label!r} lie apart from the others "
                    "in the model's view",
                    "read these rows; a planted pattern would make them alike",
                    tuple(map(int, rows[out[np.argsort(-scores[out])]])),
                    float(scores[out].max() / middle),
                    target=label,
                )
            )
        return sorted(found, key=lambda s: -s.score)
