"""ROUGE: overlap of words between a generated text and its references.

Source: Lin, ROUGE: A Package for Automatic Evaluation of Summaries, 2004.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

WORD = re.compile(r"[^\W_]+")


def words(text: str) -> list[str]:
    """Lower-case runs of letters and digits, of any script.

    >>> words("It's 5 O'Clock.")
    ['it', 's', '5', 'o', 'clock']
    """
    return WORD.findall(text.lower())


def rouge_n(reference: Sequence[str], answer: Sequence[str], size: int) -> float:
    """F1 of the word sequences of length `size`, 0 to 1; 0 when either has none."""
    true, given = _sequences(reference, size), _sequences(answer, size)
    return _f1((true & given).total(), true.total(), given.total())


def rouge_l(reference: Sequence[str], answer: Sequence[str]) -> float:
    """F1 of the longest common subsequence of words, 0 to 1."""
    return _f1(longest_common(reference, answer), len(reference), len(answer))


def longest_common(first: Sequence[str], second: Sequence[str]) -> int:
    """The length of the longest common subsequence.

    Bit-parallel: one integer holds a row of the table, so the time is about the product of the
    lengths over the machine word.

    Source: Hyyrö, Bit-parallel LCS-length computation revisited, 2004.
    """
    places: dict[str, int] = {}
    for position, word in enumerate(first):
        places[word] = places.get(word, 0) | (1 << position)
    full = (1 << len(first)) - 1
    row = full
    for word in second:
        matched = row & places.get(word, 0)
        row = ((row + matched) | (row - matched)) & full
    return len(first) - row.bit_count()


def _sequences(tokens: Sequence[str], size: int) -> Counter[tuple[str, ...]]:
    return Counter(tuple(tokens[i : i + size]) for i in range(len(tokens) - size + 1))


def _f1(common: int, true: int, given: int) -> float:
    return 2 * common / (true + given) if common else 0.0
