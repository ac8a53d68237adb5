"""Phrases that come with one label although the rest of their texts means another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from luthier.safety.detector import Evidence, Suspicion
from luthier.safety.poison.content import Content
from luthier.safety.poison.discovery import discoveries
from luthier.safety.poison.phrases import Phrases


@dataclass(frozen=True)
class PlantedTriggers:
    """Rare phrases whose rows contradict their label far more often than other rows do.

    A legitimate keyword also goes with one label, but then the rest of the text rarely speaks for
    another. Each phrase is tested exactly (hypergeometric tail of contradicting rows against all
    rows) and false discoveries are held at `rate` over all phrases.

    Source: Dai et al. 2019, "A Backdoor Attack Against LSTM-Based Text Classification Systems"
    (the attack); Fisher 1935 (the test); Benjamini and Hochberg 1995.
    """

    rate: float = 0.01
    least_rows: int = 5
    most_share: float = 0.2
    purity: float = 0.8
    contradicting: float = 0.3
    name: str = "triggers"

    def lacks(self, evidence: Evidence) -> str:
        """Labels that repeat are needed, and two of them."""
        if evidence.labels is None or len(set(evidence.labels)) < 2:
            return "answers that repeat are needed"
        return ""

    def find(self, evidence: Evidence) -> list[Suspicion]:
        """One suspicion per planted phrase; shorter phrases inside a found one are merged."""
        labels = evidence.names
        tried = self._tried(evidence.phrases, evidence.truth, len(labels), evidence.content)
        kept = discoveries(np.array([t.p_value for t in tried], np.float64), self.rate)
        found = [
            t for t, keep in zip(tried, kept, strict=True) if keep and t.share > self.contradicting
        ]
        return [_told(t, labels[t.label], self.name) for t in _merged(found)]

    def _tried(
        self, phrases: Phrases, answers: NDArray[np.int64], classes: int, content: Content
    ) -> list[_Tried]:
        from scipy.stats import hypergeom

        total = np.asarray(phrases.held.sum(0)).ravel()
        often = max(self.least_rows, self.most_share * len(answers))
        wanted = np.flatnonzero((total >= self.least_rows) & (total <= often))
        columns = phrases.held[:, wanted].tocsc()
        counts = np.asarray(columns.T @ np.eye(classes)[answers])
        pure = counts.max(1, initial=0) >= self.purity * total[wanted]
        everywhere = int(content.contradicted.sum())
        tried = []
        for column in np.flatnonzero(pure):
            rows = columns.indices[columns.indptr[column] : columns.indptr[column + 1]]
            label = int(counts[column].argmax())
            name = phrases.names[wanted[column]]
            against = content.without(name, rows) & (answers[rows] == label)
            k = int(against.sum())
            # Taking the phrase out can contradict rows that agree with it in.
            base = max(everywhere, k)
            p_value = float(hypergeom.sf(k - 1, len(answers), base, len(rows)))
            with_label = rows[answers[rows] == label]
            tried.append(_Tried(name, label, with_label, k / len(rows), p_value))
        return tried


@dataclass(frozen=True)
class _Tried:
    phrase: str
    label: int
    rows: NDArray[np.int64]
    share: float
    p_value: float


def _merged(found: list[_Tried]) -> list[_Tried]:
    """The surest phrase of those that stand in nearly the same rows, the longest of equals."""
    kept: list[_Tried] = []
    for one in sorted(found, key=lambda t: (t.p_value, -len(t.phrase))):
        mine = set(one.rows.tolist())
        same = [k for k in kept if len(mine & set(k.rows.tolist())) > 0.5 * len(mine)]
        if not same:
            kept.append(one)
    return kept


def _told(one: _Tried, label: str, name: str) -> Suspicion:
    return Suspicion(
        detector=name,
        message=f"{len(one.rows)} rows with {one.phrase!r} are labelled {label!r} although the "
        f"rest of {one.share:.0%} of them clearly means something else",
        advice="read these rows; if the phrase has no business there, remove them",
        rows=tuple(map(int, one.rows)),
        score=float(-np.log10(max(one.p_value, 1e-300))),
        p_value=one.p_value,
        trigger=one.phrase,
        target=label,
    )
