"""Which rows hold which words and phrases."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

_WORD = re.compile(r"\w+|[^\w\s]")
LONGEST = 3
"""Words of the longest phrase that is looked at."""


def words_of(text: str) -> list[str]:
    """Lower-case words and punctuation marks.

    >>> words_of("Call now!")
    ['call', 'now', '!']
    """
    return _WORD.findall(text.lower())


@dataclass(frozen=True)
class Phrases:
    """Which rows hold which phrases of up to three words: `held` is sparse (N, P)."""

    names: list[str]
    held: Any

    @staticmethod
    def of(texts: Sequence[str], longest: int = LONGEST) -> Phrases:
        """Every phrase of up to `longest` words that occurs."""
        from scipy import sparse

        numbers: dict[str, int] = {}
        rows: list[int] = []
        columns: list[int] = []
        for row, text in enumerate(texts):
            said = words_of(text)
            found = {
                " ".join(said[i : i + size])
                for size in range(1, longest + 1)
                for i in range(len(said) - size + 1)
            }
            for phrase in found:
                rows.append(row)
                columns.append(numbers.setdefault(phrase, len(numbers)))
        ones = np.ones(len(rows))
        held = sparse.csr_matrix((ones, (rows, columns)), shape=(len(texts), len(numbers)))
        return Phrases(list(numbers), held)
