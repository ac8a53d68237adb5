"""Words exchanged for those that the gradient says hurt most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from luthier.safety.attack import (
    Attempt,
    Case,
    Limits,
    OpenVictim,
    Search,
    Slopes,
    Threat,
    Wanted,
)
from luthier.safety.lexicon import Lexicon
from luthier.safety.searching import Judge, search_all
from luthier.safety.words import with_words, word_ends

Ends = tuple[int, int]


@dataclass(frozen=True)
class HotFlip:
    """At each step one gradient ranks all exchanges of words for neighbours; the best are tried.

    Source: Ebrahimi et al. 2018, "HotFlip", equation 5.
    """

    lexicon: Lexicon
    embeddings: np.ndarray
    judge: Judge
    share: float = 0.25
    tries: int = 16
    """Exchanges that are scored after each gradient."""
    name: str = "hotflip"
    threat: Threat = "evasion, white box"

    def run(
        self, victim: OpenVictim, texts: Sequence[str], truths: Sequence[int], limits: Limits
    ) -> list[Attempt]:
        """One attempt per text."""
        return search_all(self.search, victim, texts, truths, limits, self.judge)

    def search(self, case: Case) -> Search:
        """One more word exchanged after each gradient."""
        ends = word_ends(case.text)
        changes: dict[Ends, str] = {}
        for _ in range(max(1, round(self.share * len(ends)))):
            slopes = yield Wanted(with_words(case.text, list(changes.items())))
            assert isinstance(slopes, Slopes)
            ranked = self._ranked(case.text, slopes, [e for e in ends if e not in changes])
            if not ranked:
                return
            tried = [{**changes, place: word} for place, word in ranked[: self.tries]]
            scores = yield [with_words(case.text, list(t.items())) for t in tried]
            assert isinstance(scores, np.ndarray)
            chances = np.where(scores.argmax(1) == case.truth, scores[:, case.truth], 1.0)
            changes = tried[int(chances.argmin())]

    def _ranked(self, text: str, slopes: Slopes, places: Sequence[Ends]) -> list[tuple[Ends, str]]:
        """Exchanges by how much the loss should grow, the most first."""
        named = {word: token for token, word in self.lexicon.words.items()}
        rows = {int(token): row for row, token in enumerate(slopes.ids)}
        gains: list[tuple[float, Ends, str]] = []
        for place in places:
            old = named.get(text[slice(*place)].lower())
            if old is None or old not in rows:
                continue
            slope = slopes.gradient[rows[old]]
            for word in self.lexicon.neighbours(text[slice(*place)]):
                moved = self.embeddings[named[word]] - self.embeddings[old]
                gains.append((float(moved @ slope), place, word))
        return [(place, word) for _, place, word in sorted(gains, reverse=True)]
