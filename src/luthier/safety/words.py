"""Words of a text with their places, so that one can be exchanged and the rest stays."""

from __future__ import annotations

import re
from collections.abc import Sequence

_WORD = re.compile(r"\w+(?:['’]\w+)*")


def word_ends(text: str) -> list[tuple[int, int]]:
    """Where each word begins and ends.

    >>> word_ends("I don't know.")
    [(0, 1), (2, 7), (8, 12)]
    """
    return [found.span() for found in _WORD.finditer(text)]


def with_word(text: str, ends: tuple[int, int], word: str) -> str:
    """The text with another word at a place, written as large as the one before.

    >>> with_word("Buy now", (0, 3), "order")
    'Order now'
    """
    start, stop = ends
    return text[:start] + cased(text[start:stop], word) + text[stop:]


def with_words(text: str, changes: Sequence[tuple[tuple[int, int], str]]) -> str:
    """The text with several words exchanged; places are those of `text`."""
    for ends, word in sorted(changes, reverse=True):
        text = with_word(text, ends, word)
    return text


def cased(model: str, word: str) -> str:
    """`word` in capitals, with a capital, or as it is, as `model` is.

    >>> cased("NOW", "today")
    'TODAY'
    """
    if len(model) > 1 and model.isupper():
        return word.upper()
    return word[:1].upper() + word[1:] if model[:1].isupper() else word


def share_changed(before: str, after: str) -> float:
    """Share of the words of `before` that are not in their place in `after`, between 0 and 1.

    >>> share_changed("pay the late fee", "pay the old fee")
    0.25
    """
    old, new = _WORD.findall(before), _WORD.findall(after)
    if not old:
        return float(before != after)
    if len(old) == len(new):
        return float(sum(a != b for a, b in zip(old, new, strict=True))) / len(old)
    from difflib import SequenceMatcher

    kept = sum(
        b.size for b in SequenceMatcher(None, old, new, autojunk=False).get_matching_blocks()
    )
    return min(1.0, float(max(len(old), len(new)) - kept) / len(old))
