"""One short phrase that turns many answers when it stands in front of a text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from luthier.core.seeds import derive
from luthier.safety.attack import Attempt, Limits, OpenVictim, Scores, Threat


@dataclass(frozen=True)
class Found:
    """What was learnt: for each half of the texts the phrase that was learnt on the other half,
    how many texts were scored to learn them, and one attempt per text."""

    phrases: tuple[str, ...]
    queries: int
    attempts: tuple[Attempt, ...]


@dataclass(frozen=True)
class Universal:
    """A phrase of whole words, learnt by gradients on some texts and tried on others.

    `words` are the words it may be made of, by token; `embeddings` (V, D) those of the model. The
    texts are halved; the phrase learnt on one half is put in front of the other half's, so that
    no text is attacked with a phrase that was fitted to it.

    Source: Wallace et al. 2019, "Universal Adversarial Triggers for Attacking and Analyzing NLP",
    section 2.
    """

    words: Mapping[int, str]
    embeddings: NDArray[np.float32]
    length: int = 3
    sweeps: int = 2
    """How often each word of the phrase is exchanged."""
    tries: int = 12
    """Exchanges that are scored after each gradient."""
    most: int = 32
    """Texts of a half to learn on."""
    name: str = "trigger"
    threat: Threat = "evasion, white box"

    def run(
        self, victim: OpenVictim, texts: Sequence[str], truths: Sequence[int], limits: Limits
    ) -> Found:
        """One attempt per text, two queries each at most; what was learnt stands beside them."""
        if not texts:
            return Found((), 0, ())
        before = victim.scores(list(texts))
        right = before.argmax(1) == np.asarray(truths)
        dice = np.random.default_rng(derive(limits.seed, "trigger"))
        half = np.zeros(len(texts), int)
        half[dice.permutation(len(texts))[: len(texts) // 2]] = 1
        attempts: list[Attempt | None] = [None] * len(texts)
        phrases, spent = [], 0
        for side in (0, 1):
            known = np.flatnonzero(right & (half != side))[: self.most]
            phrase, asked = self._learn(
                victim, [texts[i] for i in known], [truths[i] for i in known]
            )
            phrases.append(phrase)
            spent += asked
            for place, attempt in self._try(victim, phrase, texts, truths, right, half == side):
                attempts[place] = attempt
        return Found(tuple(phrases), spent, tuple(a for a in attempts if a is not None))

    def _try(
        self,
        victim: OpenVictim,
        phrase: str,
        texts: Sequence[str],
        truths: Sequence[int],
        right: NDArray[np.bool_],
        here: NDArray[np.bool_],
    ) -> list[tuple[int, Attempt]]:
        places = [int(i) for i in np.flatnonzero(here)]
        tried = [i for i in places if right[i] and phrase]
        after = (
            victim.scores([f"{phrase} {texts[i]}" for i in tried]) if tried else np.zeros((0, 1))
        )
        turned = {
            i: row.argmax() != truths[i] for i, row in zip(tried, after, strict=True)
        }  # fmt: skip
        return [
            (i, Attempt(
                texts[i], truths[i], bool(right[i]),
                f"{phrase} {texts[i]}" if turned.get(i) else None, 2 if i in turned else 1,
            ))
            for i in places
        ]  # fmt: skip

    def _learn(
        self, victim: OpenVictim, texts: Sequence[str], truths: Sequence[int]
    ) -> tuple[str, int]:
        """The phrase that lowers the chance of the right answers most, and the queries spent."""
        tokens = np.asarray(sorted(self.words), np.int64)
        if not texts or not len(tokens):
            return "", 0
        # The word nearest the middle of all words says least, so the search begins with it.
        rows = self.embeddings[tokens]
        start = self.words[int(tokens[np.linalg.norm(rows - rows.mean(0), axis=1).argmin()])]
        phrase, spent = [start] * self.length, 0
        best = _right(victim.scores([f"{' '.join(phrase)} {t}" for t in texts]), truths)
        spent += len(texts)
        for turn in range(self.sweeps * self.length):
            place = turn % self.length
            slope = _slope(victim, phrase, place, texts, truths)
            spent += len(texts)
            if slope is None:
                continue
            for one in tokens[np.argsort(-(rows @ slope), kind="stable")[: self.tries]]:
                tried = [*phrase[:place], self.words[int(one)], *phrase[place + 1 :]]
                left = _right(victim.scores([f"{' '.join(tried)} {t}" for t in texts]), truths)
                spent += len(texts)
                if left < best:
                    best, phrase = left, tried
        return " ".join(phrase), spent


def _right(scores: Scores, truths: Sequence[int]) -> float:
    """The mean chance of the right answers."""
    return float(np.mean([row[truth] for row, truth in zip(scores, truths, strict=True)]))


def _slope(
    victim: OpenVictim,
    phrase: Sequence[str],
    place: int,
    texts: Sequence[str],
    truths: Sequence[int],
) -> NDArray[np.float32] | None:
    """The mean gradient (D,) at a word of the phrase; None where no tokens begin there."""
    start = sum(len(word) + 1 for word in phrase[:place])
    found = []
    for text, truth in zip(texts, truths, strict=True):
        slopes = victim.slopes(f"{' '.join(phrase)} {text}", truth)
        rows = np.flatnonzero((slopes.ends[:, 0] == start) & (slopes.ends[:, 1] > start))
        if len(rows):
            found.append(slopes.gradient[rows[0]])
    return np.mean(found, axis=0) if found else None
