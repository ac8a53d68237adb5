"""Slips of the keyboard undone: the likeliest word that fingers may have missed, by its context."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from math import log
from unicodedata import combining, normalize

from luthier.core.hashing import hash_value
from luthier.screen.canonical import Canonical, canonical
from luthier.screen.reading.slips import ODD, rests, slip, spread

VERSION = 2
SHORTEST = 3
"""Shorter words have too many others near them."""
REMEMBERED = 50_000
"""Words whose neighbours are remembered at once, as a server may meet any number."""
_SLIPS = 0.5
"""Chance that a word was slipped in: that of a text somebody spoils, not of one typed in haste."""
_ODD = -6.0
"""Log chance of a slip that fingers do not make against one that they do."""
_FIRST = -5.0
"""Log chance of a slip in the first letter, which people see, against one in another."""
_STAYS = 2.0
"""How much likelier, in logs, a word of the training rows was meant as it stands."""
_DOUBT = 30.0
"""Rows a word must stand in before what follows it there counts as much as what is usual."""
_NOBODY = 1e-8
"""Chance of a word that nobody knows, such as a name."""
_ZIPF = 10.9
"""Sum of the harmonic series over a vocabulary, by which chances of words by rank are divided."""
_WORD = re.compile(r"[^\W\d_]+")
_START, _END = "^", "$"


@dataclass(frozen=True)
class Spelling:
    """Words and pairs of words of the training rows, by the number of rows they stand in, out of
    `texts` rows, and words known besides, the most frequent first.

    Each word is read as the one that was likeliest meant: how frequent a word is, how often it
    stands between these neighbours, and how easily fingers make one word of the other. Where an
    `unknown` word is given, it stands in for every word of Latin letters that is not known then.

    Source: Kernighan, Church and Gale 1990, "A Spelling Correction Program Based on a Noisy
    Channel Model"; pairs as in Church and Gale 1991, section 4; training on what comes out, and
    one word for all that are unknown, as in Pruthi et al. 2019, "Combating Adversarial
    Misspellings", section 3.
    """

    rows: Mapping[str, int]
    known: Sequence[str] = ()
    pairs: Mapping[str, int] = field(default_factory=dict)
    texts: int = 1
    unknown: str | None = None

    @staticmethod
    def learn(
        texts: Iterable[str], known: Sequence[str], least: int = 2, unknown: str | None = None
    ) -> Spelling:
        """What the texts of the training rows teach; words and pairs of fewer than `least` rows
        are left out, as a name that stood in one row need not be kept."""
        lines = [[_START, *(w.lower() for w in _WORD.findall(text)), _END] for text in texts]
        counts = Counter(word for line in lines for word in set(line[1:-1]))
        rows = {w: n for w, n in sorted(counts.items()) if n >= least}
        stay = rows.keys() | {_START, _END}
        beside = Counter(pair for line in lines for pair in set(pairwise(line)))
        pairs = {
            f"{a} {b}": n
            for (a, b), n in sorted(beside.items())
            if n >= least and a in stay and b in stay
        }
        return Spelling(rows, tuple(known), pairs, max(1, len(lines)), unknown)

    @cached_property
    def hash(self) -> str:
        """Hash of everything that decides what becomes of a word."""
        taught = [dict(sorted(part.items())) for part in (self.rows, self.pairs)]
        hidden = [] if self.unknown is None else [self.unknown]
        return hash_value([VERSION, *taught, list(self.known), self.texts, *hidden])

    @cached_property
    def _places(self) -> dict[str, int]:
        return {word: place for place, word in enumerate(self.known)}

    @cached_property
    def _total(self) -> int:
        return max(1, sum(self.rows.values()))

    @cached_property
    def _near(self) -> dict[str, tuple[str, ...]]:
        """Words by what is left of them when one letter goes; a word is also left by itself."""
        found: dict[str, list[str]] = {}
        for word in sorted(w for w in {*self.rows, *self.known} if len(w) >= SHORTEST):
            for rest in rests(word):
                found.setdefault(rest, []).append(word)
        return {rest: tuple(words) for rest, words in found.items()}

    @cached_property
    def _met(self) -> dict[str, tuple[tuple[str, float], ...]]:
        return {}

    def words(self, words: Sequence[str]) -> list[str]:
        """What each word of a text was meant to be; the same word where nothing likelier is
        near."""
        given = [word.lower() for word in words]
        found: list[str] = []
        for place, word in enumerate(given):
            before = found[-1] if found else _START
            after = given[place + 1] if place + 1 < len(given) else _END
            found.append(self._meant(word, before, after))
        return [self._shown(word, meant) for word, meant in zip(words, found, strict=True)]

    def _shown(self, word: str, meant: str) -> str:
        """A word as the model is to see it, by what it was `meant` to be, in lower case."""
        if meant != word.lower():
            return _cased(word, meant)
        return word if self.unknown is None or self._knows(meant) else self.unknown

    def _knows(self, word: str) -> bool:
        """Whether a word is known, with its accents or without; words of other scripts, and those
        too short to be judged, count as known."""
        if len(word) < SHORTEST or word in self.rows or word in self._places:
            return True
        bare = "".join(c for c in normalize("NFD", word) if not combining(c))
        return not bare.isascii() or bare in self.rows or bare in self._places

    def _meant(self, word: str, before: str, after: str) -> str:
        others = self._others(word)
        if not others:
            return word
        stays = self._fits(word, before, after) + (_STAYS if word in self.rows else 0.0)
        chances = {w: self._fits(w, before, after) + chance for w, chance in others}
        best = max(sorted(chances), key=chances.__getitem__)
        return best if chances[best] > stays else word

    def _others(self, word: str) -> tuple[tuple[str, float], ...]:
        """Words one slip away, with the log chance of the slip."""
        if len(word) < SHORTEST:
            return ()
        if len(self._met) > REMEMBERED:
            self._met.clear()
        if word not in self._met:
            near = {w for rest in rests(word) for w in self._near.get(rest, ())}
            made = {w: kind for w in near if (kind := slip(word, w))}
            # A slip falls on one of about four keys at one of the letters.
            self._met[word] = tuple(
                (w, log(_SLIPS / (4 * len(w))) + _ODD * (k in ODD) + _FIRST * (w[0] != word[0]))
                for w, k in made.items()
            )
        return self._met[word]

    def _fits(self, word: str, before: str, after: str) -> float:
        """Log chance of a word between two others."""
        alone = self._chance(word)
        left = self._follows(before, word, alone)
        if after not in self.rows and after != _END:
            return log(left)
        next_alone = self._chance(after)
        return log(left) + log(self._follows(word, after, next_alone) / next_alone)

    def _follows(self, word: str, after: str, alone: float) -> float:
        times = self.texts if word == _START else self.rows.get(word, 0)
        return (_DOUBT * alone + self.pairs.get(f"{word} {after}", 0)) / (_DOUBT + times)

    def _chance(self, word: str) -> float:
        """Chance of a word whatever stands beside it: half by training, half by all texts."""
        place = self._places.get(word)
        usual = 0.0 if place is None else 1 / (_ZIPF * (place + 11))
        taught = 0.1 if word == _END else self.rows.get(word, 0) / self._total
        return 0.5 * taught + 0.5 * usual + _NOBODY

    def __call__(self, text: str) -> Canonical:
        """The text with its slips undone, nothing invisible in it, and the way back."""
        plain = canonical(text)
        found = list(_WORD.finditer(plain.text))
        letters: list[str] = []
        places: list[int] = []
        at = 0
        for word, meant in zip(found, self.words([f.group() for f in found]), strict=True):
            if meant == word.group():
                continue
            start, stop = word.span()
            letters.append(plain.text[at:start] + meant)
            places += plain.places[at:start]
            places += [plain.places[start + i] for i in spread(len(meant), stop - start)]
            at = stop
        return Canonical("".join([*letters, plain.text[at:]]), (*places, *plain.places[at:]))


def _cased(model: str, word: str) -> str:
    """`word` in capitals, with a capital, or as it is, as `model` is."""
    if len(model) > 1 and model.isupper():
        return word.upper()
    return word[:1].upper() + word[1:] if model[:1].isupper() else word
