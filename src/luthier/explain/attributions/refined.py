"""Shares of a cheap method, moved by a few random hidings of words towards what these do.

Hiding words at random and fitting what that did is the more faithful way on many models, but takes
many passes. Around shares that are nearly right already, a few draws can be of use.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from luthier.core.seeds import derive
from luthier.explain.attribution import Attribution, Attributor, Floats, Question
from luthier.explain.attributions.ablation import drawn
from luthier.explain.attributions.occlusion import hidden
from luthier.explain.subject import Ask, Subject

MOST, LEAST = 3.0, 0.2
"""How far the first shares may be stretched or shrunk to fit the draws."""


@dataclass(frozen=True)
class Refined:
    """Ridge regression of the score on which words were kept, around the shares of `first` instead
    of around zero. For models that classify or give a number.

    What is left to the whole rise from the text without its words is divided evenly, which
    completes the shares and changes no order (the constraint of Lundberg and Lee 2017, "A Unified
    Approach to Interpreting Model Predictions", section 4.1).
    """

    first: Attributor
    draws: int = 12
    ridge: float = 4.0
    seed: int = 0
    signed: bool = True
    name: str = "refined by ablation"

    def explain(self, subject: Subject, questions: Sequence[Question]) -> list[Attribution]:
        """Signed shares of each question, complete."""
        told = self.first.explain(subject, questions)
        designs, asks = [], list[Ask]()
        for question in questions:
            count = len(question.passage.words)
            seed = derive(self.seed, "refined", str(question.passage.ids.tolist()))
            ends = np.stack([np.ones(count, bool), np.zeros(count, bool)])
            designs.append(np.concatenate([ends, drawn(count, self.draws, seed)]))
            for row in designs[-1]:
                gone = np.flatnonzero(~row).tolist()
                asks.append((hidden(question, gone, "mask", subject.fill), question))
        values, start, found = subject.totals(asks), 0, []
        for one, design in zip(told, designs, strict=True):
            part = values[start : start + len(design)]
            start += len(design)
            found.append(
                replace(
                    one, method=self.name, scores=self._moved(one.scores, design, part),
                    format=0.0, gap=0.0, passes=one.passes + len(design),
                )
            )  # fmt: skip
        return found

    def _moved(self, shares: Floats, design: np.ndarray, values: Floats) -> Floats:
        # The empty text is far from all others, where the score is no sum any more: it only says
        # how much there is to share.
        used = np.arange(len(design)) != 1
        kept = design[used] - design[used].mean(0)
        answers = values[used] - values[used].mean()
        said = kept @ shares
        fit = float(said @ answers) / max(float(said @ said), 1e-12)
        prior = min(MOST, max(LEAST, fit)) * shares
        inner = kept.T @ kept + self.ridge * np.eye(len(shares))
        scores = prior + np.linalg.solve(inner, kept.T @ (answers - kept @ prior))
        rise = float(values[0] - values[1])
        return np.asarray(scores + (rise - scores.sum()) / len(scores))
