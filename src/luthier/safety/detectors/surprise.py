"""Texts that a language model finds far less likely than the others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from luthier.safety.detector import Evidence, Suspicion


@dataclass(frozen=True)
class SurprisingTexts:
    """Outliers of the mean nats per token, by the median and the median absolute deviation.

    Planted triggers make a text clumsy; so do other languages, codes and tables, so this is a
    hint and no proof.

    Source: Qi et al. 2021, "ONION"; Iglewicz and Hoaglin 1993, section 3.5 (the rule of 3.5).
    """

    deviations: float = 5.0
    least_rows: int = 20
    name: str = "surprise"

    def lacks(self, evidence: Evidence) -> str:
        """A language model is needed, and enough texts to know what is usual."""
        if evidence.surprise is None:
            return "a language model is needed"
        return "" if len(evidence.texts) >= self.least_rows else "too few rows to compare"

    def find(self, evidence: Evidence) -> list[Suspicion]:
        """One suspicion with all outliers, the strangest first."""
        assert evidence.surprise is not None
        nats = evidence.surprise(evidence.texts)
        middle = float(np.median(nats))
        spread = 1.4826 * float(np.median(np.abs(nats - middle))) or 1e-12
        far = (nats - middle) / spread
        out = np.flatnonzero(far > self.deviations)
        if not len(out):
            return []
        out = out[np.argsort(-far[out], kind="stable")]
        return [
            Suspicion(
                self.name,
                f"{len(out)} texts are far less likely than the others "
                f"(usual {middle:.1f} nats per token, these {nats[out].min():.1f} and more)",
                "read these rows; they may be in another language, damaged or planted",
                tuple(map(int, out)),
                float(far[out[0]]),
            )
        ]
