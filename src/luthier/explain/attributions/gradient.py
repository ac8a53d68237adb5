"""One backward pass: how steep the score is at each token.

Source: Simonyan et al. 2014, "Deep Inside Convolutional Networks", section 3, and Shrikumar et al.
2017, "Learning Important Features", section 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from luthier.explain.attribution import Attribution, Question, by_word
from luthier.explain.subject import Subject


@dataclass(frozen=True)
class GradientNorm:
    """The length of the slope at each token."""

    signed: bool = False
    name: str = "gradient norm"

    def explain(self, subject: Subject, questions: Sequence[Question]) -> list[Attribution]:
        """Unsigned shares of each question."""
        return _read(subject, questions, self.name, False)


@dataclass(frozen=True)
class GradientTimesInput:
    """The slope along each token's own vector."""

    signed: bool = True
    name: str = "gradient x input"

    def explain(self, subject: Subject, questions: Sequence[Question]) -> list[Attribution]:
        """Signed shares of each question."""
        return _read(subject, questions, self.name, True)


def _read(
    subject: Subject, questions: Sequence[Question], name: str, along: bool
) -> list[Attribution]:
    found: list[Any] = [None] * len(questions)
    inputs = subject.entering([q.passage.ids for q in questions])
    asks = [(q.passage.ids, q) for q in questions]
    for place, slope in subject.slopes(inputs, asks):
        tokens = (slope * inputs[place]).sum(-1) if along else slope.norm(dim=-1)
        passage = questions[place].passage
        words, rest = by_word(tokens.double().cpu().numpy(), passage, along)
        found[place] = Attribution(name, words, along, rest, passes=2.0)
    return found
