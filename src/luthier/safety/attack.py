"""Attacks on a classifier: what they may ask, what they may spend, and what one try left behind."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

Scores: TypeAlias = NDArray[np.floating]
"""One row of class scores per text (B, C)."""
Threat = Literal["evasion, black box", "evasion, white box", "prompt injection", "misuse"]
"""Attack classes of NIST AI 100-2 E2025, table of contents 2.2, 3.2 to 3.4."""


@dataclass(frozen=True)
class Slopes:
    """Tokens of a text and how the loss grows along their input embeddings.

    `ids` (T,), `ends` the characters each token covers (T, 2), `gradient` (T, D).
    """

    ids: NDArray[np.int64]
    ends: NDArray[np.int64]
    gradient: NDArray[np.float32]


class Victim(Protocol):
    """What an attacker sees of a model: texts in, class scores out."""

    def scores(self, texts: Sequence[str]) -> Scores:
        """Scores (B, C); the largest is the answer."""


class OpenVictim(Victim, Protocol):
    """A model whose weights the attacker holds."""

    @property
    def embeddings(self) -> NDArray[np.float32]:
        """Input embeddings (V, D)."""

    def slopes(self, text: str, truth: int) -> Slopes:
        """The gradient of the loss of answering `truth`."""

    def shifted(
        self, texts: Sequence[str], truths: Sequence[int], radius: float, steps: int
    ) -> Scores:
        """Scores (B, C) after the worst disturbance of the input embeddings that was found, of at
        most `radius` times their norm, by `steps` of ascent."""


@dataclass(frozen=True)
class Limits:
    """What an attack may spend on one text, and how many texts are asked about at once."""

    queries: int = 1000
    seed: int = 0
    together: int = 48


@dataclass(frozen=True)
class Case:
    """One text to attack; `scores` (C,) is what the model said of it, `queries` what may be spent
    in all."""

    text: str
    truth: int
    scores: Scores
    dice: np.random.Generator
    queries: int


@dataclass(frozen=True)
class Wanted:
    """A search asks for the slopes of a text; that costs one query."""

    text: str


@dataclass(frozen=True)
class Probes:
    """Texts that are scored to learn from, and are no tries; each costs one query."""

    texts: Sequence[str]


Asked: TypeAlias = "Sequence[str] | Probes | Wanted"
Answered: TypeAlias = "Scores | Slopes"
Search: TypeAlias = Generator[Asked, Answered, None]
"""Yields texts to be scored and is sent their scores (B, C); who drives it counts and judges."""


@dataclass(frozen=True)
class Attempt:
    """What became of one text.

    `found` is the valid text that changed the answer, None without one; `queries` were spent until
    then; `thrown_away` counts texts that changed the answer and were not valid, by reason.
    """

    text: str
    truth: int
    right: bool
    found: str | None = None
    queries: int = 0
    thrown_away: Mapping[str, int] = field(default_factory=dict)

    def fell(self, within: int | None = None) -> bool:
        """Whether a right answer was changed, within so many queries."""
        return self.right and self.found is not None and (within is None or self.queries <= within)


class Attack(Protocol):
    """A way to make a model answer wrongly."""

    @property
    def name(self) -> str:
        """What the attack is called."""

    @property
    def threat(self) -> Threat:
        """Its class."""

    def run(
        self, victim: OpenVictim, texts: Sequence[str], truths: Sequence[int], limits: Limits
    ) -> list[Attempt]:
        """One attempt per text, in order; what was answered wrongly before is left alone."""
