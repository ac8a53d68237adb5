"""Typos, invisible characters and look-alike letters inside words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from luthier.safety.attack import Attempt, Case, Limits, Search, Threat, Victim
from luthier.safety.greedy import greedy
from luthier.safety.searching import Judge, search_all
from luthier.safety.words import word_ends
from luthier.screen.canonical import INVISIBLE, LOOK_ALIKES

Kind = Literal["typos", "invisible", "lookalikes"]
ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
"""The letters of a keyboard, row by row."""


@dataclass(frozen=True)
class Characters:
    """One change in each attacked word, at places and of kinds drawn by seed.

    Source: Gao et al. 2018, "DeepWordBug" (typos); Boucher et al. 2022, "Bad Characters".
    """

    kind: Kind
    judge: Judge
    share: float = 0.25
    """Largest share of the words that is touched, but at least one."""
    tries: int = 8
    """Spellings of one word that are tried."""
    threat: Threat = "evasion, black box"

    @property
    def name(self) -> str:
        """What the attack is called."""
        return self.kind

    def run(
        self, victim: Victim, texts: Sequence[str], truths: Sequence[int], limits: Limits
    ) -> list[Attempt]:
        """One attempt per text."""
        return search_all(self.search, victim, texts, truths, limits, self.judge)

    def search(self, case: Case) -> Search:
        """Texts that grow worse for the right answer."""
        near = {e: self._spellings(case.text[slice(*e)], case.dice) for e in word_ends(case.text)}
        return greedy(case, near, self.share)

    def _spellings(self, word: str, dice: np.random.Generator) -> list[str]:
        if len(word) < (4 if self.kind == "typos" else 2):
            return []
        made = [misspelt(word, self.kind, dice) for _ in range(self.tries)]
        return list(dict.fromkeys(w for w in made if w != word))


def misspelt(word: str, kind: Kind, dice: np.random.Generator) -> str:
    """The word with one change of a kind; unchanged where the kind finds nothing to change.

    The first letter stays in a typo, as in most that people make.
    """
    if kind == "invisible":
        place = int(dice.integers(1, len(word))) if len(word) > 1 else len(word)
        return word[:place] + INVISIBLE[dice.integers(len(INVISIBLE))] + word[place:]
    if kind == "lookalikes":
        places = [i for i, c in enumerate(word) if c in LOOK_ALIKES]
        if not places or len(word) < 2:
            return word
        place = places[dice.integers(len(places))]
        looks = LOOK_ALIKES[word[place]]
        return word[:place] + looks[dice.integers(len(looks))] + word[place + 1 :]
    return _typo(word, dice)


def _typo(word: str, dice: np.random.Generator) -> str:
    if len(word) < 3:
        return word
    place = int(dice.integers(1, len(word)))
    before, letter, after = word[:place], word[place], word[place + 1 :]
    match int(dice.integers(4)):
        case 0:
            return before + after
        case 1:
            return before + letter + letter + after
        case 2 if after:
            return before + after[0] + letter + after[1:]
        case _:
            return before + _beside(letter, dice) + after


def _beside(letter: str, dice: np.random.Generator) -> str:
    """A key beside this one."""
    for row in ROWS:
        place = row.find(letter.lower())
        if place >= 0:
            beside = row[max(0, place - 1) : place] + row[place + 1 : place + 2]
            return beside[dice.integers(len(beside))]
    return letter
