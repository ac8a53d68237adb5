"""From tag probabilities to findings: runs of tokens that are probably something, word by word."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from luthier.screen.rule import Span


def tagged(
    text: str,
    chances: NDArray[np.float32],
    offsets: NDArray[np.int64],
    kinds: tuple[str, ...],
    threshold: float,
) -> list[Span]:
    """Findings in `text` from probabilities (T, C) of no kind and each kind, tokens at `offsets`.

    The pieces of a word are judged together by their mean; neighbouring words of one kind are one
    finding, whose score is its words' mean chance of being anything at all.
    """
    words = _words(text, offsets)
    found: list[Span] = []
    none = chances[:, 0].tolist()
    for first, last in words:
        something = 1 - sum(none[first:last]) / (last - first)
        if something < threshold:
            continue
        mean = chances[first:last].mean(0)
        kind = kinds[int(mean[1:].argmax())]
        start, end = int(offsets[first, 0]), int(offsets[last - 1, 1])
        if found and found[-1].kind == kind and not _apart(text[found[-1].end : start]):
            before = found.pop()
            start, something = before.start, max(before.score, something)
        found.append(Span(start, end, kind, "personal", round(something, 4)))
    return [span for span in found if any(c.isalnum() for c in text[span.start : span.end])]


def _words(text: str, offsets: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Ranges of tokens that belong to one word: letters and digits without a gap between."""
    words: list[tuple[int, int]] = []
    for index, (start, end) in enumerate(offsets.tolist()):
        if end <= start:
            continue
        joined = words and index and offsets[index - 1, 1] == start
        if joined and text[start - 1].isalnum() and text[start].isalnum():
            words[-1] = (words[-1][0], index + 1)
        else:
            words.append((index, index + 1))
    return words


def _apart(between: str) -> bool:
    return len(between) > 4 or any(c.isalnum() for c in between) or "\n\n" in between
