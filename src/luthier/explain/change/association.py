"""Words that go with a label more often than chance allows.

Source: Gardner et al. 2021, "Competency Problems: On Finding and Removing Artifacts in Language
Data", section 4, with the exact test in place of the normal one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from luthier.explain.attribution import Ids
from luthier.explain.passages import words_of

FEWEST = 10
"""Rows a word has to stand in before its label is spoken of."""
TOLD = 8
LEVEL = 0.05


@dataclass(frozen=True)
class Association:
    """A word and a class: `together` of the word's `rows` rows have the class, of all rows a share
    of `base`. `z` is how many standard errors that is above chance; `p_value` is corrected."""

    word: str
    label: int
    rows: int
    together: int
    base: float
    z: float
    p_value: float

    @property
    def share(self) -> float:
        """Share of the word's rows that have the class."""
        return self.together / self.rows


@dataclass(frozen=True)
class Associations:
    """Pairs out of proportion, the most so first; of how many pairs; and words that stand in too
    few rows although all of these have one class, with their class and rows."""

    found: tuple[Association, ...]
    tested: int
    rare: int
    silent: tuple[tuple[str, int, int], ...]


def words_in(text: str) -> set[str]:
    """The words of a text, each once and in small letters."""
    return {text[start:stop].lower() for start, stop in words_of(text)}


def associations(texts: Sequence[str], labels: Ids) -> Associations:
    """Words of texts (N) against their classes (N,): one-sided, corrected by Holm's steps."""
    from scipy.stats import hypergeom

    sizes = np.bincount(labels)
    counts: Counter[str] = Counter()
    pairs: Counter[tuple[str, int]] = Counter()
    for text, label in zip(texts, labels.tolist(), strict=True):
        said = words_in(text)
        counts.update(said)
        pairs.update((word, label) for word in said)
    asked = sorted(pair for pair in pairs if counts[pair[0]] >= FEWEST)
    # Pairs that never meet are tests too, which came out as no excess.
    tests = sum(count >= FEWEST for count in counts.values()) * int((sizes > 0).sum())
    if not asked:
        return Associations((), tests, len(counts), _silent(counts, pairs))
    rows = np.asarray([counts[word] for word, _ in asked])
    size = sizes[[label for _, label in asked]]
    together = np.asarray([pairs[pair] for pair in asked])
    chance = hypergeom.sf(together - 1, len(texts), size, rows)
    corrected, worst = np.ones(len(asked)), 0.0
    for step, i in enumerate(np.argsort(chance, kind="stable")):
        worst = max(worst, min(1.0, float(chance[i]) * (tests - step)))
        corrected[i] = worst
    base = size / len(texts)
    error = np.sqrt(np.maximum(base * (1 - base), 1e-12) / rows)
    z = (together / rows - base) / error
    found = [
        Association(word, label, int(rows[i]), int(together[i]), float(base[i]), float(z[i]),
                    float(corrected[i]))
        for i, (word, label) in enumerate(asked) if corrected[i] < LEVEL
    ]  # fmt: skip
    rare = sum(count < FEWEST for count in counts.values())
    found.sort(key=lambda one: (-one.z, one.word))
    return Associations(tuple(found), tests, rare, _silent(counts, pairs))


def _silent(
    counts: Counter[str], pairs: Counter[tuple[str, int]]
) -> tuple[tuple[str, int, int], ...]:
    """The commonest words that always have one class, in too few rows to say anything."""
    pure = [
        (word, label, count)
        for (word, label), count in pairs.items()
        if 3 <= count < FEWEST and counts[word] == count
    ]
    return tuple(sorted(pure, key=lambda one: (-one[2], one[0]))[:TOLD])
