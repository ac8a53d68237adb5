"""Text without invisible characters and with look-alike letters undone.

Source: Unicode Technical Standard 39, section 4 (confusables) and Technical Report 36, section 2;
the table below is a subset made of letters that look like a Latin one in common fonts.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

VERSION = 1
LOOK_ALIKES = {
    "a": "аɑα", "c": "сϲ", "d": "ԁ", "e": "еҽ", "g": "ɡ", "h": "һ", "i": "іɩ", "j": "ј", "k": "ĸκ",
    "l": "ӏ", "n": "ո", "o": "оοօ", "p": "рρ", "q": "ԛ", "s": "ѕ", "u": "սυ", "v": "ѵν", "w": "ԝѡ",
    "x": "хχ", "y": "уγ", "A": "АΑ", "B": "ВΒ", "C": "СϹ", "E": "ЕΕ", "H": "НΗ", "I": "ІΙ",
    "J": "Ј", "K": "КΚ", "M": "МΜ", "N": "Ν", "O": "ОΟ", "P": "РΡ", "S": "Ѕ", "T": "ТΤ", "X": "ХΧ",
    "Y": "ҮΥ", "Z": "Ζ",
}  # fmt: skip
"""Letters of other scripts that look like a Latin one."""
INVISIBLE = "\u00ad\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2061\ufeff"
"""Characters that show nothing, as attackers use them."""
_FOLD = {look: latin for latin, looks in LOOK_ALIKES.items() for look in looks}
_RUN = re.compile(r"[^\W\d_]+")
_JOINERS = "\u200c\u200d"


@dataclass(frozen=True)
class Canonical:
    """The canonical text; character i of it was at `places[i]` of the text given."""

    text: str
    places: tuple[int, ...]

    def back(self, start: int, stop: int) -> tuple[int, int]:
        """Where a part of the canonical text was in the text given."""
        if start >= stop:
            return (0, 0)
        return self.places[start], self.places[stop - 1] + 1


def canonical(text: str) -> Canonical:
    """The same text for readers: nothing invisible, no letters that only look like others.

    A letter of another script is folded only in a word that also has Latin letters, so text in
    other scripts stays as it is; joiners stay where scripts and pictures need them. Doing it twice
    changes nothing more.

    >>> canonical("pa\\u200by m\\u043e\\u0433e").text
    'pay mo\u0433e'
    """
    if text.isascii():
        return Canonical(text, tuple(range(len(text))))
    kept = [i for i, letter in enumerate(text) if not _hidden(text, i, letter)]
    letters = [_plain(text[i]) for i in kept]
    joined = "".join(letters)
    for word in _RUN.finditer(joined):
        found = word.group()
        if found.isascii() or not any(c.isascii() for c in found):
            continue
        for place in range(*word.span()):
            letters[place] = _FOLD.get(letters[place], letters[place])
    return Canonical("".join(letters), tuple(kept))


def _hidden(text: str, place: int, letter: str) -> bool:
    if letter in _JOINERS or 0xFE00 <= ord(letter) <= 0xFE0F:
        return place == 0 or not _joins(text[place - 1])
    return _is_hidden(letter)


@lru_cache(maxsize=4096)
def _is_hidden(letter: str) -> bool:
    return unicodedata.category(letter) == "Cf" or 0xE0100 <= ord(letter) <= 0xE01EF


@lru_cache(maxsize=4096)
def _joins(letter: str) -> bool:
    """Whether a joiner or a variation selector after this character may mean something."""
    kind = unicodedata.category(letter)
    if kind in ("So", "Sk", "Mn", "Mc"):
        return True
    name = unicodedata.name(letter, "")
    return kind == "Lo" and not name.startswith(("CYRILLIC", "GREEK", "LATIN"))


@lru_cache(maxsize=4096)
def _plain(letter: str) -> str:
    """Full-width and mathematical letters and digits as plain ones; all others as they are."""
    if letter.isascii():
        return letter
    plain = unicodedata.normalize("NFKC", letter)
    return plain if len(plain) == 1 and plain.isascii() and plain.isalnum() else letter
