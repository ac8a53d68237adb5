"""Characters that tell of a wrong encoding, or that nobody sees."""

from __future__ import annotations

import re

from luthier.core.types import Finding, Level

_REPLACED = re.compile("\ufffd")
# A UTF-8 lead byte and its continuation bytes, each read as Latin-1 or Windows-1252. Quotes and
# dashes may well stand after a capital letter, so for most two-byte leads they tell nothing.
_LETTER = "\u0080-\u00bf\u0152\u0153\u0160\u0161\u0178\u017d\u017e\u0192\u02c6\u02dc"
_TAIL = f"[{_LETTER}\u2013-\u2122]"
_MISREAD = re.compile(
    f"[\u00c2\u00c3]{_TAIL}|[\u00c4-\u00df][{_LETTER}]"
    f"|[\u00e0-\u00ef]{_TAIL}{{2}}|[\u00f0-\u00f4]{_TAIL}{{3}}"
)
_UNLIKELY = ((0x80, 0x9F), (0x180, 0x36F), (0x530, 0x5CF), (0x700, 0x8FF))
"""Scripts so rare that a capital before a hard space is the likelier reading."""
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
# Joiners U+200C and U+200D are part of many scripts and of emoji.
INVISIBLE = re.compile("[\u00ad\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
"""Characters without a glyph, direction marks included."""

_KINDS: dict[str, tuple[Level, str]] = {
    "replacement-character": (
        Level.WARNING,
        "rows hold U+FFFD, the mark of a character lost in an earlier conversion",
    ),
    "mojibake": (
        Level.WARNING,
        "rows hold UTF-8 that was read as another encoding, such as Ã© for é",
    ),
    "control-character": (Level.WARNING, "rows hold control characters"),
    "invisible-character": (
        Level.INFO,
        "rows hold invisible characters, such as zero-width spaces or direction marks",
    ),
}


def faults(texts: list[str]) -> dict[str, list[int]]:
    """Places of the texts with a fault, by its kind."""
    found: dict[str, list[int]] = {}
    joined = "".join(texts)
    checks = (
        ("replacement-character", _REPLACED),
        ("mojibake", _MISREAD),
        ("control-character", _CONTROL),
        ("invisible-character", INVISIBLE),
    )
    for kind, pattern in checks:
        # most blocks have no fault at all, and one look at the whole block tells
        if not (joined.isascii() and kind != "control-character") and pattern.search(joined):
            rows = [i for i, text in enumerate(texts) if _has(kind, pattern, text)]
            found |= {kind: rows} if rows else {}
    return found


def describe(kind: str, rows: list[int], numbers: list[int]) -> Finding:
    """The finding about the rows with a fault of one kind."""
    level, message = _KINDS[kind]
    return Finding.at(kind, level, f"{len(rows)} {message}", len(rows), numbers)


def _has(kind: str, pattern: re.Pattern[str], text: str) -> bool:
    if kind == "mojibake":
        return any(_misread(match.group()) for match in pattern.finditer(text))
    return pattern.search(text) is not None


def _misread(piece: str) -> bool:
    """Whether the characters, turned back into bytes, are UTF-8 of a likely character."""
    try:
        meant = ord(b"".join(_byte(character) for character in piece).decode())
    except UnicodeError:
        return False
    return not any(low <= meant <= high for low, high in _UNLIKELY)


def _byte(character: str) -> bytes:
    return bytes([ord(character)]) if ord(character) < 256 else character.encode("cp1252")
