"""Slips of the keyboard undone in words that stand near known ones."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from luthier.core.hashing import hash_value
from luthier.screen.canonical import Canonical, canonical

SHORTEST = 3
"""Shorter words have too many others near them."""
FREQUENT = 5
"""In so many training rows a word is likelier meant than a rare one a slip away from it."""
REMEMBERED = 50_000
"""Words whose mending is remembered at once, as a server may meet any number."""
_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_WORD = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True)
class Spelling:
    """Words of the training rows, by the number of rows they stand in, and words known besides.

    A word of the training rows stays. An unknown one becomes a word one slip away (a letter left
    out, put in, exchanged, or two swapped), the most frequent in training first. A word that is
    known besides, but never stood in a training row, becomes only a frequent one.

    Source: Damerau 1964, "A technique for computer detection and correction of spelling errors";
    training on what comes out as in Pruthi et al. 2019, "Combating Adversarial Misspellings".
    """

    rows: Mapping[str, int]
    known: frozenset[str] = frozenset()

    @staticmethod
    def learn(texts: Iterable[str], known: Iterable[str], least: int = 2) -> Spelling:
        """What the texts of the training rows teach; words of fewer than `least` rows are left
        out, as a name that stood in one row need not be kept."""
        counts = Counter(w for text in texts for w in {m.lower() for m in _WORD.findall(text)})
        kept = {w: n for w, n in sorted(counts.items()) if n >= least and len(w) >= SHORTEST}
        return Spelling(kept, frozenset(known))

    @cached_property
    def hash(self) -> str:
        """Hash of everything that decides what becomes of a word."""
        return hash_value([dict(sorted(self.rows.items())), sorted(self.known), FREQUENT])

    @cached_property
    def _near(self) -> dict[str, tuple[str, ...]]:
        """Words by what is left of them when one letter goes; a word is also left by itself."""
        found: dict[str, list[str]] = {}
        for word in sorted(w for w in {*self.rows, *self.known} if len(w) >= SHORTEST):
            for rest in _rests(word):
                found.setdefault(rest, []).append(word)
        return {rest: tuple(words) for rest, words in found.items()}

    @cached_property
    def _mended(self) -> dict[str, str]:
        return {}

    def word(self, word: str) -> str:
        """The word that was meant; the same word where nothing likelier is near."""
        lower = word.lower()
        if len(lower) < SHORTEST or lower in self.rows:
            return word
        if len(self._mended) > REMEMBERED:
            self._mended.clear()
        if lower not in self._mended:
            self._mended[lower] = self._meant(lower)
        meant = self._mended[lower]
        return word if meant == lower else meant

    def _meant(self, word: str) -> str:
        near = {w for rest in _rests(word) for w in self._near.get(rest, ()) if one_slip(word, w)}
        if word in self.known:
            near = {w for w in near if self.rows.get(w, 0) >= FREQUENT and w[0] == word[0]}
        if not near:
            return word
        return max(near, key=lambda w: (w[0] == word[0], self.rows.get(w, 0), _usual(word, w), w))

    def __call__(self, text: str) -> Canonical:
        """The text with its slips undone, nothing invisible in it, and the way back."""
        plain = canonical(text)
        letters: list[str] = []
        places: list[int] = []
        at = 0
        for found in _WORD.finditer(plain.text):
            meant = self.word(found.group())
            if meant == found.group():
                continue
            start, stop = found.span()
            letters.append(plain.text[at:start] + meant)
            places += plain.places[at:start]
            places += [plain.places[start + i] for i in _spread(len(meant), stop - start)]
            at = stop
        return Canonical("".join([*letters, plain.text[at:]]), (*places, *plain.places[at:]))


def one_slip(one: str, other: str) -> bool:
    """Whether one letter left out, put in or exchanged, or two neighbours swapped, lead from one
    word to the other; a word is no slip of itself.

    >>> one_slip("taable", "table"), one_slip("tabel", "table"), one_slip("tbael", "table")
    (True, True, False)
    """
    if len(one) == len(other):
        apart = [i for i in range(len(one)) if one[i] != other[i]]
        if len(apart) == 2:
            i, j = apart
            return j == i + 1 and (one[i], one[j]) == (other[j], other[i])
        return len(apart) == 1
    short, long = sorted((one, other), key=len)
    return len(long) - len(short) == 1 and short in _rests(long)


def _rests(word: str) -> set[str]:
    return {word, *(word[:i] + word[i + 1 :] for i in range(len(word)))}


def _usual(slip: str, word: str) -> bool:
    """Whether fingers slip so: a letter missing, doubled, swapped, or the key beside it."""
    if len(slip) < len(word):
        return True
    if len(slip) > len(word):
        return any(word[:i] + word[i] + word[i:] == slip for i in range(len(word)))
    apart = [i for i in range(len(slip)) if slip[i] != word[i]]
    if len(apart) == 2:
        return True
    pair = slip[apart[0]], word[apart[0]]
    return any(
        abs(row.find(pair[0]) - row.find(pair[1])) == 1
        for row in _ROWS
        if pair[0] in row and pair[1] in row
    )


def _spread(made: int, given: int) -> list[int]:
    """For each letter of the new word, which of the old one it stands for; ends meet ends."""
    return [*(min(i, given - 1) for i in range(made - 1)), given - 1]
