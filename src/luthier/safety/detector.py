"""What looks for poisoned training rows: evidence in, suspicions with row numbers out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from luthier.safety.poison.content import Content
from luthier.safety.poison.phrases import Phrases

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

    @cached_property
    def names(self) -> list[str]:
        """The labels there are, in order."""
        return sorted(set(self.labels or ()))

    @cached_property
    def truth(self) -> NDArray[np.int64]:
        """The place (N,) of each row's label among `names`."""
        number = {label: place for place, label in enumerate(self.names)}
        return np.array([number[label] for label in self.labels or ()], np.int64)

    @cached_property
    def phrases(self) -> Phrases:
        """Which rows hold which phrases."""
        return Phrases.of(self.texts)

    @cached_property
    def content(self) -> Content:
        """What the rest of a text says of its label; made once for all detectors."""
        return Content(self.phrases, self.truth, len(self.names), self.features)


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
