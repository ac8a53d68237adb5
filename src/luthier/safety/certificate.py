"""How many exchanged words cannot change an answer that is voted on with words masked at random."""

from __future__ import annotations

from dataclasses import dataclass
from math import comb

import numpy as np

from luthier.safety.attack import Victim
from luthier.safety.outcome import proportion
from luthier.safety.words import word_ends


@dataclass(frozen=True)
class Vote:
    """How texts are masked and counted.

    `mask` stands in place of a word, `share` of the words is kept, `draws` masked texts are asked
    about, and the certificate holds with chance `level`.
    """

    mask: str
    draws: int
    share: float = 0.3
    level: float = 0.95
    first: int = 16
    """Further masked texts that only choose the answer."""


@dataclass(frozen=True)
class Certified:
    """The voted answer, and how many exchanged words cannot change it; -1 for no certificate."""

    answer: int
    radius: int


def certify(victim: Victim, text: str, vote: Vote, dice: np.random.Generator) -> Certified:
    """The answer by vote and its radius; it says nothing of the model asked without masks.

    Whatever was masked has no influence, so `r` exchanged words move the chance of an answer by at
    most the chance that one of them is kept.

    Source: Zeng et al. 2021, "Certified Robustness to Text Adversarial Attacks by Randomized
    [MASK]", theorem 1 with beta 1.
    """
    ends = word_ends(text)
    kept = max(1, round(vote.share * len(ends))) if ends else 0
    chosen = victim.scores([_masked(text, ends, kept, vote.mask, dice) for _ in range(vote.first)])
    answer = int(np.bincount(chosen.argmax(1)).argmax())
    asked = victim.scores([_masked(text, ends, kept, vote.mask, dice) for _ in range(vote.draws)])
    hits = int((asked.argmax(1) == answer).sum())
    # One side of a two-sided interval: twice the tail.
    low = proportion(hits, vote.draws, 2 * vote.level - 1).low
    return Certified(answer, radius(low, len(ends), kept))


def radius(low: float, words: int, kept: int) -> int:
    """The largest number of exchanged words after which an answer of chance `low` still has more
    than half; -1 when it has not even without.

    >>> radius(0.9, 10, 3), radius(0.5, 10, 3)
    (1, -1)
    """
    found = -1
    for exchanged in range(words - kept + 1):
        met = 1 - comb(words - exchanged, kept) / comb(words, kept)
        if low - met <= 0.5:
            break
        found = exchanged
    return found


def _masked(
    text: str, ends: list[tuple[int, int]], kept: int, mask: str, dice: np.random.Generator
) -> str:
    stay = set(dice.permutation(len(ends))[:kept].tolist())
    parts, last = [], 0
    for place, (start, stop) in enumerate(ends):
        parts += [text[last:start], text[start:stop] if place in stay else mask]
        last = stop
    return "".join([*parts, text[last:]])
