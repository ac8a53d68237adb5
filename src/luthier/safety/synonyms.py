"""Groups of near words that training labels do not tell apart."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from luthier.safety.lexicon import Lexicon

_WORD = re.compile(r"\w+(?:['’]\w+)*")
_CERTAIN = 0.01
"""Chance of so different labels, were they those of one word, below which two stay apart."""


def groups(
    lexicon: Lexicon, texts: Sequence[str], labels: Sequence[str], least: int = 2
) -> dict[str, str]:
    """What each word of the lexicon is read as, itself left out.

    The most frequent word of the training rows gathers its neighbours first, then the next one
    that is left. A word joins the nearest group whose training rows have labels like its own; one
    of fewer than `least` rows is taken for one that never stood there. Where no group has gathered
    such a word, it joins only one whose first word is its neighbour: no label would show that a
    chain of neighbours had led too far.

    Source: Wang et al. 2021, "Natural Language Adversarial Defense through Synonym Encoding",
    algorithm 1; keeping words of different labels apart is our own.
    """
    counts = _counts(texts, labels, least)
    none = np.zeros(max(1, len(set(labels))), np.int64)
    own = {token: counts.get(word, none) for token, word in lexicon.words.items()}
    rows = zip(lexicon.ids, lexicon.near, strict=True)
    near = {int(t): [int(n) for n in row if n >= 0] for t, row in rows}
    limit = _limit(len(none))
    code: dict[int, int] = {}
    pooled: dict[int, NDArray[np.int64]] = {}

    def join(token: int, group: int) -> bool:
        if group in pooled and _apart(own[token], pooled[group]) > limit:
            return False
        code[token] = group
        pooled[group] = pooled.get(group, none) + own[token]
        return True

    for token in sorted(own, key=lambda t: (-int(own[t].sum()), t)):
        if token not in code:
            found = [code[n] for n in near.get(token, ()) if n in code]
            if not own[token].any():
                found = [g for g in found if g in near.get(token, ()) or token in near.get(g, ())]
            if not any(join(token, group) for group in found):
                join(token, token)
        for other in near.get(token, ()):
            if other not in code:
                join(other, code[token])
    return {lexicon.words[t]: lexicon.words[g] for t, g in sorted(code.items()) if t != g}


def _counts(
    texts: Sequence[str], labels: Sequence[str], least: int
) -> dict[str, NDArray[np.int64]]:
    """Training rows of each word by label (C,)."""
    number = {label: i for i, label in enumerate(sorted(set(labels)))}
    found: dict[str, NDArray[np.int64]] = {}
    for text, label in zip(texts, labels, strict=True):
        for word in {w.lower() for w in _WORD.findall(text)}:
            found.setdefault(word, np.zeros(len(number), np.int64))[number[label]] += 1
    return {word: rows for word, rows in found.items() if rows.sum() >= least}


def _limit(classes: int) -> float:
    from scipy.stats import chi2

    return float(chi2.isf(_CERTAIN, max(1, classes - 1)))


def _apart(one: NDArray[np.int64], other: NDArray[np.int64]) -> float:
    """Likelihood-ratio statistic that both have the same shares of labels."""
    if not one.any() or not other.any():
        return 0.0
    both = np.stack([one, other]).astype(float)
    expected = both.sum(1, keepdims=True) * both.sum(0) / both.sum()
    seen = both > 0
    return float(2 * (both[seen] * np.log(both[seen] / expected[seen])).sum())
