"""Words and character sequences weighted by how rare they are, under linear scores."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from luthier.evaluate.predictions import FloatArray, IntArray
from luthier.fewshot.forms.centred import softmax
from luthier.fewshot.regression import regress
from luthier.fewshot.rung import Asked

if TYPE_CHECKING:
    from scipy import sparse

_WORD = re.compile(r"\w+")
SHORTEST, LONGEST = 2, 4
"""Lengths of the character sequences, in characters."""
KEPT = 2048
"""Texts whose terms are remembered: cross-validation weighs the same ones many times."""


@dataclass(frozen=True, eq=False)
class Terms:
    """Which terms count, in order, and how rare each is: `rarity` (F,) is its smoothed IDF."""

    names: tuple[str, ...]
    rarity: FloatArray

    @classmethod
    def fit(cls, texts: Sequence[str]) -> Terms:
        """All terms of `texts`; a term of df among N texts has rarity 1 + ln((1 + N) / (1 + df)).

        Source: Salton and Buckley, Term-weighting approaches in automatic text retrieval, 1988.
        """
        seen: Counter[str] = Counter()
        for text in texts:
            seen.update(counted(text).names)
        names = tuple(sorted(seen))
        rarity = [1 + np.log((1 + len(texts)) / (1 + seen[name])) for name in names]
        return cls(names, np.asarray(rarity))

    def weigh(self, texts: Iterable[str]) -> sparse.csr_matrix:
        """(N, F): (1 + ln count) times rarity, words and characters at length one each.

        A text without a known term is a row of zeros.
        """
        from scipy import sparse

        keys, order = self._keyed
        starts, columns, values = [0], [], []
        for text in texts:
            found = counted(text)
            at = np.minimum(np.searchsorted(keys, found.keys), max(0, len(keys) - 1))
            known = keys[at] == found.keys if len(keys) else np.zeros(len(at), bool)
            places, counts = order[at[known]], found.counts[known]
            weights = (1 + np.log(counts)) * self.rarity[places]
            columns.append(places)
            values.append(_level(weights, self._words[places]))
            starts.append(starts[-1] + len(places))
        shape = (len(starts) - 1, len(self.names))
        if not columns:
            return sparse.csr_matrix(shape)
        joined = (np.concatenate(values), np.concatenate(columns), np.asarray(starts))
        return sparse.csr_matrix(joined, shape=shape)

    @cached_property
    def _keyed(self) -> tuple[IntArray, IntArray]:
        """Keys of the terms in rising order, and the column of each."""
        keys = _keys(self.names)
        order = np.argsort(keys)
        return keys[order], order

    @cached_property
    def _words(self) -> Any:
        return np.asarray([name[0] == "w" for name in self.names], dtype=bool)


@dataclass(frozen=True, eq=False)
class Lexical:
    """Softmax of a linear function of a text's weighted terms; `weights` (C, F), `bias` (C,)."""

    terms: Terms
    weights: FloatArray
    bias: FloatArray

    @classmethod
    def fit(
        cls, texts: Sequence[str], truth: IntArray, counts: FloatArray, classes: int,
        strength: float,
    ) -> Lexical:  # fmt: skip
        """Logistic regression on the terms of `texts` (N) with row weights `counts` (N,)."""
        known = Terms.fit(texts)
        return cls(known, *regress(known.weigh(texts), truth, counts, classes, strength))

    def probabilities(self, asked: Asked) -> FloatArray:
        """Chances (N, C)."""
        return softmax(np.asarray(self.terms.weigh(asked.texts) @ self.weights.T) + self.bias)

    def arrays(self) -> Mapping[str, FloatArray]:
        """Weights, bias and rarity."""
        return {"weights": self.weights, "bias": self.bias, "rarity": self.terms.rarity}

    def about(self) -> Mapping[str, Any]:
        """The terms in order."""
        return {"form": "lexical", "terms": list(self.terms.names)}

    @classmethod
    def read(cls, about: Mapping[str, Any], arrays: Mapping[str, FloatArray]) -> Lexical:
        """What was written."""
        known = Terms(tuple(about["terms"]), arrays["rarity"])
        return cls(known, arrays["weights"], arrays["bias"])


@dataclass(frozen=True, eq=False)
class Counted:
    """The terms of a text (T,), the keys by which they are looked up, and how often each stands
    there."""

    names: tuple[str, ...]
    keys: IntArray
    counts: FloatArray


@lru_cache(maxsize=KEPT)
def counted(text: str) -> Counted:
    """How often each term stands in a text; the last texts are remembered."""
    found = Counter(terms(text))
    names = tuple(found)
    return Counted(names, _keys(names), np.fromiter(found.values(), np.float64, len(found)))


def _keys(names: Sequence[str]) -> IntArray:
    """A number for each term, good for as long as the process: looked up many at a time."""
    return np.fromiter((hash(name) for name in names), np.int64, len(names))


def terms(text: str) -> list[str]:
    """Words, pairs of neighbouring words, and character sequences within words with a space on
    either side; lower case, words marked `w` and characters `c`.

    >>> [t for t in terms("Lost it") if t[0] == "w"]
    ['wlost', 'wit', 'wlost it']
    """
    words = _WORD.findall(text.lower())
    pairs = [f"w{a} {b}" for a, b in itertools.pairwise(words)]
    pieces = []
    for part in text.lower().split():
        padded = f" {part} "
        for size in range(SHORTEST, LONGEST + 1):
            pieces += [f"c{padded[i : i + size]}" for i in range(max(1, len(padded) - size + 1))]
    return [*(f"w{word}" for word in words), *pairs, *pieces]


def _level(weights: FloatArray, words: Any) -> FloatArray:
    """Words and character sequences brought to length one, each for itself."""
    level = np.asarray(weights, dtype=np.float64).copy()
    for part in (words, ~words):
        length = float(np.sqrt((level[part] ** 2).sum()))
        level[part] = level[part] / length if length > 0 else 0.0
    return level
