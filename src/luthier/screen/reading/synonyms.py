"""Every word of a group of near ones read as the same word, so exchanging them does nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from luthier.core.hashing import hash_value
from luthier.screen.canonical import Canonical, canonical
from luthier.screen.reading.slips import spread

_WORD = re.compile(r"\w+(?:['’]\w+)*")


class _Read(Protocol):
    @property
    def text(self) -> str: ...

    def back(self, start: int, stop: int) -> tuple[int, int]: ...


@dataclass(frozen=True)
class Synonyms:
    """Words, in lower case, and the word each is read as; `before` is what happens to a text
    first.

    Source: Wang et al. 2021, "Natural Language Adversarial Defense through Synonym Encoding".
    """

    read_as: Mapping[str, str]
    before: Callable[[str], _Read] = canonical

    @cached_property
    def hash(self) -> str:
        """Hash of everything that decides what becomes of a word."""
        return hash_value(dict(sorted(self.read_as.items())))

    def __call__(self, text: str) -> Canonical:
        """The text with each word as it is read, and the way back to the text given."""
        plain = self.before(text)
        letters: list[str] = []
        places: list[int] = []
        at = 0
        for found in _WORD.finditer(plain.text):
            word = self.read_as.get(found.group().lower())
            if word is None:
                continue
            start, stop = found.span()
            letters.append(plain.text[at:start] + word)
            places += [plain.back(i, i + 1)[0] for i in range(at, start)]
            inside = (start + i for i in spread(len(word), stop - start))
            places += [plain.back(i, i + 1)[0] for i in inside]
            at = stop
        places += [plain.back(i, i + 1)[0] for i in range(at, len(plain.text))]
        return Canonical("".join([*letters, plain.text[at:]]), tuple(places))
