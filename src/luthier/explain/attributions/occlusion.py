"""One word hidden at a time.

Source: Zeiler and Fergus 2014, "Visualizing and Understanding Convolutional Networks", section 4.2;
Li et al. 2016, "Understanding Neural Networks through Representation Erasure", section 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from luthier.explain.attribution import Attribution, Question
from luthier.explain.subject import Ask, Subject


@dataclass(frozen=True)
class Occlusion:
    """How much the score loses without each word, all of its tokens at once."""

    how: Literal["mask", "delete"] = "mask"
    signed: bool = True
    name: str = "occlusion"

    def explain(self, subject: Subject, questions: Sequence[Question]) -> list[Attribution]:
        """Signed shares of each question."""
        asks: list[Ask] = []
        for question in questions:
            passage = question.passage
            asks.append((passage.ids, question))
            for word in range(len(passage.words)):
                asks.append((hidden(question, [word], self.how, subject.fill), question))
        values = subject.values(asks)
        found, first = [], 0
        for question in questions:
            count = len(question.passage.words)
            whole, less = values[first], np.stack(values[first + 1 : first + 1 + count])
            first += count + 1
            each = whole[None, :] - less
            by_token = each.T if subject.writes else None
            found.append(
                Attribution(
                    self.name, each.sum(1), True, by_token=by_token, passes=float(count + 1)
                )
            )
        return found


def hidden(
    question: Question, words: Sequence[int], how: Literal["mask", "delete"], fill: int
) -> np.ndarray:
    """The tokens (T,) of a question's text with `words` hidden one way or the other."""
    passage = question.passage
    return passage.without(words) if how == "delete" else passage.masked(words, fill)
