"""The form in which rules read a text, and the way back to the characters that were written."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_DIGIT_DASHES = dict.fromkeys(map(ord, "‐‑‒–—−﹣－"), "-")
_QUOTES = {ord(a): b for a, b in zip("‘’‚“”„´", "'''\"\"\"'", strict=True)}
_HIDDEN = frozenset({0x00AD, 0x034F, 0x061C, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164, 0xFFA0})
_ALIKE = str.maketrans(
    "АВЕЅІЈКМНОРСТХУаеорсухіѕјԁһԛԝӏΑΒΕΖΗΙΚΜΝΟΡΤΥΧονρ",
    "ABESIJKMHOPCTXYaeopcyxisjdhqwlABEZHIKMNOPTYXovp",
)


@dataclass(frozen=True)
class Normal:
    """A text in normal form; `starts[i]` and `ends[i]` are the written characters (start, end) that
    character `i` stands for."""

    text: str
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    changed: int

    def back(self, start: int, end: int) -> tuple[int, int]:
        """The written span of a span of the normal form; hidden characters inside belong to it."""
        return int(self.starts[start]), int(self.ends[end - 1])


def normal(written: str) -> Normal:
    """Compatibility forms, invisible characters and look-alikes undone, character by character.

    Letters of other scripts are folded only in words that also hold ASCII letters or digits, so
    that Greek and Cyrillic text stays itself. Lone surrogates become U+FFFD. The result for a
    piece of text depends on that piece alone.

    >>> normal("４1１1 p\\u200bаss").text
    '4111 pass'
    """
    if written.isascii():
        place = np.arange(len(written), dtype=np.int64)
        return Normal(written, place, place + 1, 0)
    said: list[str] = []
    starts: list[int] = []
    changed = 0
    for index, character in enumerate(written):
        plain = _plain(character)
        changed += plain != character
        said += plain
        starts += [index] * len(plain)
    folded = _fold("".join(said))
    changed += sum(a != b for a, b in zip(said, folded, strict=True))
    place = np.asarray(starts, np.int64)
    return Normal(folded, place, place + 1, changed)


def _plain(character: str) -> str:
    code = ord(character)
    if code < 128:
        return character
    if 0xD800 <= code <= 0xDFFF:
        return "�"
    if code in _HIDDEN or 0xE0000 <= code <= 0xE0FFF or 0xFE00 <= code <= 0xFE0F:
        return ""
    kind = unicodedata.category(character)
    if kind == "Cf":
        return ""
    if kind == "Nd":
        return str(unicodedata.decimal(character))
    if kind == "Zs":
        return " "
    mapped = _DIGIT_DASHES.get(code) or _QUOTES.get(code)
    return mapped or unicodedata.normalize("NFKC", character)


def _fold(text: str) -> str:
    """Look-alike letters as ASCII ones in words that mix scripts; the length stays."""
    if not any(ord(c) in _ALIKE for c in text):
        return text
    out = list(text)
    start = 0
    for end in range(len(text) + 1):
        if end < len(text) and not text[end].isspace():
            continue
        word = text[start:end]
        if any(c.isascii() and c.isalnum() for c in word):
            out[start:end] = word.translate(_ALIKE)
        start = end + 1
    return "".join(out)
