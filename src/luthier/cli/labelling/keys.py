"""Which key or word means which label."""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from luthier.core.errors import nearest


class Move(Enum):
    """What may be said in place of a label."""

    UNDO = "undo"
    SKIP = "skip"
    QUIT = "quit"
    SHOW = "progress"


MOVES = {"u": Move.UNDO, "s": Move.SKIP, "q": Move.QUIT, "p": Move.SHOW}
SINGLE = "123456789" + "".join(c for c in string.ascii_lowercase if c not in MOVES)
"""Keys for labels, in order; with more labels than keys, numbers and names are typed."""


@dataclass(frozen=True)
class Unclear:
    """What was typed means nothing, or several things; `why` says which."""

    why: str


Meaning = str | Move | Unclear


class Keys:
    """Labels by key or by word."""

    def __init__(self, labels: Sequence[str]) -> None:
        self.labels = tuple(labels)
        self.single = len(labels) <= len(SINGLE)

    def legend(self) -> list[tuple[str, str]]:
        """Key, or number, and label."""
        keys = SINGLE if self.single else [str(i + 1) for i in range(len(self.labels))]
        return list(zip(keys, self.labels, strict=False))

    def press(self, key: str) -> Meaning:
        """What a single key means."""
        if key in MOVES:
            return MOVES[key]
        place = SINGLE.find(key) if key else -1
        if 0 <= place < len(self.labels):
            return self.labels[place]
        return Unclear(f"the key {shown(key)!r} stands for no label")

    def word(self, text: str) -> Meaning:
        """What a typed word means: a label, its number or beginning, or a move, as `u` or `:undo`.

        A label that is spelled like a move is the label.
        """
        word = text.strip()
        if word in self.labels:
            return word
        for key, move in MOVES.items():
            if word in (key, f":{move.value}", f":{key}"):
                return move
        if word.isascii() and word.isdigit() and 1 <= int(word) <= len(self.labels):
            return self.labels[int(word) - 1]
        begins = [label for label in self.labels if label.lower().startswith(word.lower())]
        if word and len(begins) == 1:
            return begins[0]
        if word and begins:
            return Unclear(f"{shown(word)!r} begins {', '.join(begins[:5])}")
        near = nearest(word, self.labels)
        advice = f"; did you mean {near!r}?" if near else ""
        return Unclear(f"{shown(word)!r} is no label{advice}")


def shown(text: str) -> str:
    """Text of others as a terminal may show it: marks that steer a terminal become dots, and
    blanks of any kind plain ones."""
    kept = (" " if c.isspace() and c != "\n" else c for c in text)
    return "".join(c if c.isprintable() or c == "\n" else "·" for c in kept)
