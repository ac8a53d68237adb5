"""How fingers slip on a keyboard, and what a slip of each kind is worth as an explanation."""

from __future__ import annotations

from typing import Literal

Slip = Literal["left out", "doubled", "swapped", "beside", "put in", "exchanged"]
ODD = frozenset({"put in", "exchanged"})
"""Slips to or with a letter that is nowhere near; the others are those people make."""
_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_BESIDE = {
    letter: row[max(0, place - 1) : place] + row[place + 1 : place + 2]
    for row in _ROWS
    for place, letter in enumerate(row)
}


def rests(word: str) -> set[str]:
    """The word, and what is left of it when one letter goes.

    >>> sorted(rests("too"))
    ['oo', 'to', 'too']
    """
    return {word, *(word[:i] + word[i + 1 :] for i in range(len(word)))}


def slip(made: str, meant: str) -> Slip | None:
    """The one slip that leads from the word that was meant to the one that was made, if one does.

    A letter left out or put in, one exchanged, or two neighbours swapped; a word is no slip of
    itself.

    >>> slip("tabel", "table"), slip("taable", "table"), slip("tbael", "table")
    ('swapped', 'doubled', None)

    Source: Damerau 1964, "A technique for computer detection and correction of spelling errors".
    """
    if len(made) == len(meant):
        return _exchanged(made, meant)
    if len(made) == len(meant) - 1:
        return "left out" if made in rests(meant) else None
    if len(made) == len(meant) + 1 and meant in rests(made):
        twice = any(meant[:i] + meant[i] + meant[i:] == made for i in range(len(meant)))
        return "doubled" if twice else "put in"
    return None


def _exchanged(made: str, meant: str) -> Slip | None:
    apart = [i for i in range(len(made)) if made[i] != meant[i]]
    if len(apart) == 1:
        near = meant[apart[0]] in _BESIDE.get(made[apart[0]], "")
        return "beside" if near else "exchanged"
    if len(apart) != 2 or apart[1] != apart[0] + 1:
        return None
    first, second = apart
    return "swapped" if (made[first], made[second]) == (meant[second], meant[first]) else None


def spread(made: int, given: int) -> list[int]:
    """For each letter of the new word, which of the old one it stands for; ends meet ends."""
    return [*(min(i, given - 1) for i in range(made - 1)), given - 1]
