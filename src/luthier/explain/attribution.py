"""What an explanation is made of: a text in words, what is asked about it, a score per word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from luthier.explain.subject import Subject

Ids: TypeAlias = NDArray[np.int64]
Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True)
class Passage:
    """A text as the model reads it.

    `ids` are its tokens (T,); `words` the characters of each word (W, 2); `owner` the word of each
    token (T,), -1 for tokens of the format. The last `answer` tokens are what the model wrote;
    `cut` tokens of the text did not fit.
    """

    text: str
    ids: Ids
    words: tuple[tuple[int, int], ...]
    owner: Ids
    answer: int = 0
    cut: int = 0

    @property
    def spelt(self) -> list[str]:
        """The words as they stand in the text (W,)."""
        return [self.text[start:stop] for start, stop in self.words]

    def without(self, words: Sequence[int]) -> Ids:
        """The tokens that are left when `words` are taken out."""
        return self.ids[~np.isin(self.owner, words)]

    def masked(self, words: Sequence[int], fill: int) -> Ids:
        """The tokens with `fill` in place of every token of `words`."""
        return np.where(np.isin(self.owner, words), fill, self.ids)


@dataclass(frozen=True)
class Question:
    """Why this class, or this value or answer, and not another.

    `target` is a class; without `against` it is set against all others together.
    """

    passage: Passage
    target: int = 0
    against: int | None = None


@dataclass(frozen=True)
class Attribution:
    """The share of each word (W,) in the score that was asked about.

    Signed scores are positive where a word speaks for the target; others are at least 0. `format`
    is what tokens that belong to no word got. `gap` is how far all shares together are from the
    difference they should explain, relative to it. `low` and `high` hold each score with 95 %.
    `by_token` (A, W) are the shares in each token of a written answer. `passes` counts forward
    passes over the text, a backward pass as one.
    """

    method: str
    scores: Floats
    signed: bool
    format: float = 0.0
    gap: float | None = None
    low: Floats | None = None
    high: Floats | None = None
    by_token: Floats | None = None
    passes: float = 0.0

    @property
    def order(self) -> list[int]:
        """Words by their weight, the heaviest first; equal ones as they stand."""
        return [int(i) for i in np.argsort(-np.abs(self.scores), kind="stable")]


class Attributor(Protocol):
    """A way to give each word its share."""

    @property
    def name(self) -> str:
        """What the method is called."""

    @property
    def signed(self) -> bool:
        """Whether its scores say for and against."""

    def explain(self, subject: Subject, questions: Sequence[Question]) -> list[Attribution]:
        """One attribution for each question, in order; company changes nothing.

        Raises: FixModel when the model cannot give what the method reads.
        """


def by_word(tokens: Floats, passage: Passage, signed: bool) -> tuple[Floats, float]:
    """Scores of words (W,) from scores of tokens (T,), and what the format's tokens got.

    Signed scores are added; of others the largest counts, as a sum would favour words of many
    pieces.
    """
    words = np.zeros(len(passage.words))
    owned = passage.owner >= 0
    rest = tokens[~owned]
    if signed:
        np.add.at(words, passage.owner[owned], tokens[owned])
        return words, float(rest.sum())
    np.maximum.at(words, passage.owner[owned], tokens[owned])
    return words, float(rest.max(initial=0.0))
