"""Words exchanged for near ones, the most important first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from luthier.safety.attack import Attempt, Case, Limits, Search, Threat, Victim
from luthier.safety.greedy import greedy
from luthier.safety.lexicon import Lexicon
from luthier.safety.searching import Judge, search_all
from luthier.safety.words import word_ends


@dataclass(frozen=True)
class Substitution:
    """Words exchanged for neighbours in the model's own embeddings.

    Source: Jin et al. 2020, "Is BERT Really Robust?", with another word list.
    """

    lexicon: Lexicon
    judge: Judge
    share: float = 0.25
    """Largest share of the words that is exchanged, but at least one."""
    name: str = "words"
    threat: Threat = "evasion, black box"

    def run(
        self, victim: Victim, texts: Sequence[str], truths: Sequence[int], limits: Limits
    ) -> list[Attempt]:
        """One attempt per text."""
        return search_all(self.search, victim, texts, truths, limits, self.judge)

    def search(self, case: Case) -> Search:
        """Texts that grow worse for the right answer."""
        ends = word_ends(case.text)
        near = {e: self.lexicon.neighbours(case.text[slice(*e)]) for e in ends}
        return greedy(case, near, self.share)
