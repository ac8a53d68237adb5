"""Words and character sequences instead of vectors: better where wording tells the class."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from luthier.core.errors import FixData
from luthier.fewshot.forms.lexical import Lexical
from luthier.fewshot.rung import Known
from luthier.fewshot.rungs.linear import few, worth

STRENGTH = 30.0
"""Inverse penalty on terms; a text's terms have length one for words and one for characters."""


@dataclass(frozen=True)
class LexicalRung:
    """TF-IDF and logistic regression on the labelled rows and the descriptions."""

    name: str = "lexical"
    order: int = 3

    def refusal(self, known: Known) -> str:
        """Two classes must have a row."""
        return few(known)

    def fit(self, known: Known) -> Lexical:
        """Terms are those of the labelled rows and the descriptions."""
        if refused := self.refusal(known):
            raise FixData("labels to learn from", refused)
        classes = len(known.labels)
        texts = [*known.rows.texts, *known.described.texts]
        truth = np.concatenate([known.truth, np.arange(classes)])
        counts = np.concatenate([known.row_weights, worth(known)])
        return Lexical.fit(texts, truth, counts, classes, STRENGTH)
