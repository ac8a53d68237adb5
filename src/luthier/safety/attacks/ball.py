"""The worst small disturbance of the input embeddings: a bound on what words could do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from luthier.safety.attack import Attempt, Limits, OpenVictim, Threat


@dataclass(frozen=True)
class Ball:
    """Projected gradient ascent within a ball around a text's embeddings.

    What it finds is no text; `found` says so with the radius. A step costs one query.

    Source: Madry et al. 2018; Miyato et al. 2017, section 3.
    """

    radius: float = 0.1
    steps: int = 8
    name: str = "ball"
    threat: Threat = "evasion, white box"

    def run(
        self, victim: OpenVictim, texts: Sequence[str], truths: Sequence[int], limits: Limits
    ) -> list[Attempt]:
        """One attempt per text; with fewer queries, fewer steps."""
        steps = min(self.steps, max(0, limits.queries - 2))
        if not texts:
            return []
        before = victim.scores(texts).argmax(1)
        after = victim.shifted(texts, truths, self.radius, steps).argmax(1)
        return [
            Attempt(
                text,
                truth,
                bool(old == truth),
                f"disturbed by {self.radius:g}" if old == truth != new else None,
                steps + 2,
            )
            for text, truth, old, new in zip(texts, truths, before, after, strict=True)
        ]
