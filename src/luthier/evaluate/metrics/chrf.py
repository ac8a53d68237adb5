"""chrF: overlap of characters between generated texts and their references.

Source: Popović, chrF: character n-gram F-score for automatic MT evaluation, 2015; the numbers
equal sacreBLEU's defaults (order 6, beta 2, no spaces).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from luthier.evaluate.predictions import FloatArray

ORDER = 6
BETA = 2.0


def chrf_counts(references: Sequence[str], answer: str) -> list[int]:
    """For each order: sequences of the answer, of the reference and in both, 3 * 6 numbers.

    Of several references the one with the highest score counts.
    """
    given = _sequences(answer)
    every = [_compare(given, _sequences(reference)) for reference in references]
    scores = chrf_scores(np.array(every, dtype=np.float64))
    return every[int(np.argmax(np.nan_to_num(scores)))]


def chrf_scores(sums: FloatArray) -> FloatArray:
    """chrF in percent (draws,) from summed counts (draws, 18); 0 where nothing compares."""
    given, true, both = sums.reshape(len(sums), ORDER, 3).transpose(2, 0, 1)
    used = (given > 0) & (true > 0)
    number = np.maximum(used.sum(axis=1), 1)
    precision = np.divide(both, given, out=np.zeros_like(both), where=used).sum(axis=1) / number
    recall = np.divide(both, true, out=np.zeros_like(both), where=used).sum(axis=1) / number
    below = BETA**2 * precision + recall
    top = (1 + BETA**2) * precision * recall
    return np.asarray(100 * np.divide(top, below, out=np.zeros_like(below), where=below > 0))


def _sequences(text: str) -> list[Counter[str]]:
    joined = "".join(text.split())
    return [
        Counter(joined[i : i + size] for i in range(len(joined) - size + 1))
        for size in range(1, ORDER + 1)
    ]


def _compare(given: list[Counter[str]], true: list[Counter[str]]) -> list[int]:
    counts: list[int] = []
    for answer, reference in zip(given, true, strict=True):
        # An order the reference lacks is left out on both sides, as sacreBLEU does.
        total = answer.total() if reference else 0
        counts += [total, reference.total(), (answer & reference).total()]
    return counts
