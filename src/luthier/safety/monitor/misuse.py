"""Patterns of misuse per caller: extraction, bursts of jailbreak variants, sponge inputs."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Request:
    """What is known of a request: who asked (a key, no name), when in seconds, its embedding (D,),
    its tokens in and out, its seconds of work, and whether a guard or the model refused it."""

    caller: str
    time: float
    vector: NDArray[np.float32]
    tokens_in: int
    tokens_out: int
    seconds: float
    refused: bool


@dataclass(frozen=True)
class Limits:
    """From when on a pattern is called one. A window holds the last requests of a caller."""

    window: int = 200
    least: int = 30
    spread: float = 0.9
    """Extraction: mean distance between requests, 0 (all alike) to about 1 (all unrelated)."""
    rate: float = 0.5
    """Extraction: requests per second over the window."""
    variants: int = 5
    """Jailbreak: so many near variants of one request were refused."""
    alike: float = 0.85
    """Jailbreak: cosine from which two requests are variants."""
    sponge: float = 10.0
    """Sponge: seconds of work per token in, times its median over all callers."""


@dataclass(frozen=True)
class Pattern:
    """A pattern seen at a caller, with what was measured and the limit it passed."""

    kind: str
    caller: str
    value: float
    limit: float


class Misuse:
    """Watches callers; only numbers and embeddings of the window are held in memory."""

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._callers: dict[str, deque[Request]] = {}
        self._costs: deque[float] = deque(maxlen=1000)

    def see(self, request: Request) -> list[Pattern]:
        """Patterns that this request completes."""
        seen = self._callers.setdefault(request.caller, deque(maxlen=self._limits.window))
        found = [
            *self._sponge(request),
            *self._variants(request, seen),
        ]
        seen.append(request)
        self._costs.append(request.seconds / max(1, request.tokens_in))
        return [*found, *self._extraction(request.caller, seen)]

    def forget(self, caller: str) -> None:
        """Removes what is held of a caller."""
        self._callers.pop(caller, None)

    def _sponge(self, request: Request) -> list[Pattern]:
        if len(self._costs) < self._limits.least:
            return []
        usual = float(np.median(self._costs)) or 1e-9
        cost = request.seconds / max(1, request.tokens_in) / usual
        return self._over("sponge", request.caller, cost, self._limits.sponge)

    def _variants(self, request: Request, seen: deque[Request]) -> list[Pattern]:
        refused = [r for r in seen if r.refused]
        if not request.refused or not refused:
            return []
        others = _unit(np.stack([r.vector for r in refused]))
        alike = others @ _unit(request.vector[None])[0] >= self._limits.alike
        count = float(alike.sum()) + 1
        return self._over("jailbreak", request.caller, count, float(self._limits.variants))

    def _extraction(self, caller: str, seen: deque[Request]) -> list[Pattern]:
        if len(seen) < max(self._limits.least, self._limits.window // 2):
            return []
        took = max(seen[-1].time - seen[0].time, 1e-9)
        if (len(seen) - 1) / took < self._limits.rate:
            return []
        vectors = _unit(np.stack([r.vector for r in seen]))
        count = len(vectors)
        near = (float(np.square(vectors.sum(0)).sum()) - count) / (count * (count - 1))
        return self._over("extraction", caller, 1 - near, self._limits.spread)

    @staticmethod
    def _over(kind: str, caller: str, value: float, limit: float) -> list[Pattern]:
        return [Pattern(kind, caller, value, limit)] if value >= limit else []


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    sizes = np.linalg.norm(vectors, axis=1, keepdims=True)
    made: NDArray[np.float64] = vectors.astype(np.float64) / np.maximum(sizes, 1e-12)
    return made
