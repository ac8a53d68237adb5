"""What the rest of a text says about its label once a phrase is taken out of it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_WORD = re.compile(r"\w+|[^\w\s]")
_SMOOTHING = 0.1
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


class Content:
    """A naive Bayes model of single words whose probabilities are tempered to be calibrated.

    It serves because its counts can be corrected exactly: the rows that hold a phrase and the
    words of the phrase itself are taken out of it, which no fitted weight allows.

    Source: Rennie et al. 2003, "Tackling the Poor Assumptions of Naive Bayes Text Classifiers".
    """

    def __init__(self, phrases: Phrases, answers: NDArray[np.int64], classes: int) -> None:
        shares = np.asarray(phrases.held.sum(0)).ravel()
        single = np.array([" " not in name for name in phrases.names], np.bool_)
        self._kept = np.flatnonzero(single & (shares >= 2))
        self._words: dict[str, int] = {phrases.names[j]: i for i, j in enumerate(self._kept)}
        self._held = phrases.held[:, self._kept].tocsr()
        self._answers, self._classes = answers, classes
        self._rows = np.bincount(answers, minlength=classes).astype(np.float64)
        one_hot = np.eye(classes)[answers]
        self._counts = np.asarray((self._held.T @ one_hot).T)
        self._totals = self._counts.sum(1)
        left = self._left_out()
        self._heat = _calmest(left, answers)
        self.contradicted = _contradicted(_soft(left / self._heat), answers)

    def without(self, phrase: str, rows: NDArray[np.int64], label: int) -> NDArray[np.bool_]:
        """Which of `rows` (R,), all that hold `phrase`, are sure to mean another answer than
        `label` (R,) when the phrase is not read and none of these rows was ever seen."""
        own = {self._words[w] for w in phrase.split(" ") if w in self._words}
        part = self._held[rows]
        seen = np.array([i for i in np.unique(part.indices) if i not in own], np.int64)
        one_hot = np.eye(self._classes)[self._answers[rows]].T
        less = one_hot @ np.asarray(part.sum(1)).ravel()
        here = part[:, seen].toarray()
        counts = self._counts[:, seen] - one_hot @ here
        scores = here @ self._logs(counts, self._totals - less).T
        scores = scores + np.log(self._rows - one_hot.sum(1) + 1)
        return _contradicted(_soft(scores / self._heat), np.full(len(rows), label))

    def _logs(
        self, counts: NDArray[np.float64], totals: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        room = totals + _SMOOTHING * max(1, len(self._kept))
        logs: NDArray[np.float64] = np.log(counts + _SMOOTHING) - np.log(room)[:, None]
        return logs

    def _left_out(self) -> NDArray[np.float64]:
        """Scores (N, C) of each row by all other rows."""
        scores = np.asarray(self._held @ self._logs(self._counts, self._totals).T)
        scores = scores + np.log(self._rows + 1)
        width = _SMOOTHING * max(1, len(self._kept))
        for row, label in enumerate(self._answers):
            held = self._held.indices[self._held.indptr[row] : self._held.indptr[row + 1]]
            room = np.log(self._totals[label] - len(held) + width)
            own = np.log(self._counts[label, held] - 1 + _SMOOTHING) - room
            scores[row, label] = own.sum() + np.log(self._rows[label])
        return scores


SURE = 0.8
"""Probability of another answer from which a text contradicts its label."""


def _contradicted(chances: NDArray[np.float64], labels: NDArray[np.int64]) -> NDArray[np.bool_]:
    others = chances.copy()
    others[np.arange(len(labels)), labels] = 0
    found: NDArray[np.bool_] = others.max(1, initial=0) >= SURE
    return found


def _soft(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    raised = np.exp(scores - scores.max(1, keepdims=True))
    chances: NDArray[np.float64] = raised / raised.sum(1, keepdims=True)
    return chances


def _calmest(scores: NDArray[np.float64], answers: NDArray[np.int64]) -> float:
    """The temperature under which held-out answers are least surprising (Guo et al. 2017)."""
    heats = np.geomspace(1, 30, 25)
    rows = np.arange(len(answers))
    losses = [-np.log(_soft(scores / heat)[rows, answers] + 1e-12).mean() for heat in heats]
    return float(heats[int(np.argmin(losses))])
