"""What looks for poisoned training rows: evidence in, suspicions with row numbers out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Surprise = Callable[[Sequence[str]], NDArray[np.float64]]
"""Mean nats per token (N,) that a language model needs for each text."""


@dataclass(frozen=True)
class Evidence:
    """What detectors may look at.

    `texts` and `labels` (N) are what the model is given and what it must answer; labels are None
    where answers do not repeat. `answers` (N) are written answers of generative tasks.
    `features` (N, D) are the base model's vectors, `surprise` a language model, each None where
    there is none.
    """

    texts: Sequence[str]
    labels: Sequence[str] | None = None
    answers: Sequence[str] | None = None
    features: NDArray[np.float32] | None = None
    surprise: Surprise | None = None


@dataclass(frozen=True)
class Suspicion:
    """One thing that does not look right: `rows` are indices into the evidence (R,), `score`
    orders suspicions of one detector (larger is worse), `p_value` is None where nothing was
    tested. `trigger` is a phrase that seems planted and `target` the answer it leads to."""

    detector: str
    message: str
    advice: str
    rows: tuple[int, ...]
    score: float
    p_value: float | None = None
    trigger: str = ""
    target: str = ""


class Detector(Protocol):
    """A way to find poisoned rows."""

    @property
    def name(self) -> str:
        """The name in reports and work lists."""

    def lacks(self, evidence: Evidence) -> str:
        """Why it cannot look at this evidence; "" when it can."""

    def find(self, evidence: Evidence) -> list[Suspicion]:
        """Suspicions, worst first."""
