"""The idea of ONION: words without which a text becomes far likelier.

Source: Qi et al. 2021, "ONION: A Simple and Effective Defense Against Textual Backdoor Attacks".
It filters single texts; here its scores of one word are averaged over the rows that hold it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

import numpy as np

LEAST = 3


def likeliest_trigger(
    texts: Sequence[str], nats: Callable[[Sequence[str]], np.ndarray], most_words: int = 40
) -> str:
    """The word whose removal makes its texts likelier by the most, over at least three texts."""
    gains: dict[str, list[float]] = defaultdict(list)
    for text in texts:
        words = text.split(" ")[:most_words]
        if len(words) < 2:
            continue
        less = [" ".join(words[:i] + words[i + 1 :]) for i in range(len(words))]
        scores = nats([" ".join(words), *less])
        for word, score in zip(words, scores[1:], strict=True):
            gains[word.lower()].append(float(scores[0] - score))
    means = {w: float(np.mean(g)) for w, g in gains.items() if len(g) >= LEAST}
    return max(means, key=lambda w: means[w]) if means else ""
