"""Fixed requests that are asked again and again, to see whether a model still behaves the same."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Canary:
    """What is kept of an answer: its digest and its embedding (D,), never its text."""

    digest: str
    vector: NDArray[np.float32]


@dataclass(frozen=True)
class Moved:
    """Canaries whose answer is no longer the same text, and cosine distances (K,) of all."""

    changed: tuple[int, ...]
    distance: NDArray[np.float64]

    @property
    def furthest(self) -> float:
        """The largest distance, 0 without canaries."""
        return float(self.distance.max(initial=0.0))


def remember(
    answers: Sequence[str], embed: Callable[[Sequence[str]], NDArray[np.float32]]
) -> list[Canary]:
    """Canaries from answers (K,); `embed` gives vectors (K, D)."""
    vectors = embed(answers)
    return [
        Canary(hashlib.sha256(text.encode()).hexdigest(), vector)
        for text, vector in zip(answers, vectors, strict=True)
    ]


def moved(before: Sequence[Canary], now: Sequence[Canary]) -> Moved:
    """How canaries asked today differ from those of the reference, in order."""
    changed = tuple(
        i for i, (a, b) in enumerate(zip(before, now, strict=True)) if a.digest != b.digest
    )
    return Moved(
        changed, np.array([_distance(a.vector, b.vector) for a, b in zip(before, now, strict=True)])
    )


def _distance(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    size = float(np.linalg.norm(one) * np.linalg.norm(other))
    return 1 - float(one @ other) / size if size else float(one.any() != other.any())
