"""Many words hidden at random, and a linear fit of what that did.

Source: Cohen-Wang et al. 2024, "ContextCite: Attributing Model Generation to Context", section 3;
antithetic pairs after Mitchell et al. 2022, "Sampling Permutations for Shapley Value Estimation",
section 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from luthier.core.seeds import derive
from luthier.explain.attribution import Attribution, Floats, Question
from luthier.explain.attributions.occlusion import hidden
from luthier.explain.subject import Ask, Subject


@dataclass(frozen=True)
class AblationRegression:
    """Ridge regression of the score on which words were kept; each draw comes with its opposite.

    There are at least `draws`, one for each word of longer texts, and at most `most`.
    """

    draws: int = 64
    most: int = 64
    how: Literal["mask", "delete"] = "mask"
    ridge: float = 1.0
    seed: int = 0
    signed: bool = True
    name: str = "ablation regression"

    def explain(self, subject: Subject, questions: Sequence[Question]) -> list[Attribution]:
        """Signed shares of each question, with intervals."""
        designs = [self._design(q) for q in questions]
        asks: list[Ask] = []
        for question, kept in zip(questions, designs, strict=True):
            asks.append((question.passage.ids, question))
            for row in kept:
                gone = np.flatnonzero(~row).tolist()
                asks.append((hidden(question, gone, self.how, subject.fill), question))
        values = subject.values(asks)
        found, first = [], 0
        for kept in designs:
            part = np.stack(values[first : first + len(kept) + 1])
            first += len(kept) + 1
            found.append(self._fitted(kept, part, subject.writes))
        return found

    def _design(self, question: Question) -> np.ndarray:
        """Which words are kept (R, W)."""
        count = len(question.passage.words)
        # By the tokens alone, so that company and order change nothing.
        seed = derive(self.seed, "ablation", str(question.passage.ids.tolist()))
        return drawn(count, max(self.draws, min(count, self.most)), seed)

    def _fitted(self, kept: np.ndarray, values: Floats, writes: bool) -> Attribution:
        design = np.concatenate([np.ones((1, kept.shape[1])), kept]) - 0.5
        centred = design - design.mean(0)
        answers = values - values.mean(0)
        inner = np.linalg.inv(centred.T @ centred + self.ridge * np.eye(kept.shape[1]))
        each = inner @ centred.T @ answers
        scores = each.sum(1)
        left = answers.sum(1) - centred @ scores
        spare = max(1.0, len(design) - float(np.trace(inner @ centred.T @ centred)) - 1)
        covariance = inner @ centred.T @ centred @ inner * float(left @ left) / spare
        reach = 1.96 * np.sqrt(np.diag(covariance))
        return Attribution(
            self.name, scores, True, low=scores - reach, high=scores + reach,
            by_token=each.T if writes else None, passes=float(len(design)),
        )  # fmt: skip


def drawn(words: int, draws: int, seed: int) -> np.ndarray:
    """Which words are kept (R, W): half of them at random, and each draw's opposite."""
    dice = np.random.default_rng(seed)
    half = np.stack([dice.permutation(words) < words / 2 for _ in range((draws + 1) // 2)])
    return np.concatenate([half, ~half])
