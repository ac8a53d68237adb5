"""What taking a word out of a text does to a class, beside taking out another word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from luthier.core.seeds import derive
from luthier.explain.attribution import Floats, Ids, Passage
from luthier.explain.subject import Subject


@dataclass(frozen=True)
class Removed:
    """How far the score of a class falls in each row (N,) without a word, and without another one
    of the same row; and whether the answer turned away from the class."""

    word: Floats
    other: Floats
    turned: Floats

    @property
    def apart(self) -> Floats:
        """How much further it falls without the word (N,)."""
        return self.word - self.other


def places_of(passage: Passage, word: str) -> list[int]:
    """Where a word stands among the passage's words, whatever its case."""
    return [i for i, spelt in enumerate(passage.spelt) if spelt.lower() == word]


def removed(
    subject: Subject, passages: Sequence[Passage], word: str, label: int, seed: int
) -> Removed:
    """What the removal of `word` does in passages that hold it and at least one word more, in log
    odds of `label`. Which other word is taken out is drawn by seed and place."""
    dice = np.random.default_rng(derive(seed, "other words", word))
    texts: list[Ids] = []
    for passage in passages:
        own = places_of(passage, word)
        others = sorted({w.lower() for w in passage.spelt} - {word})
        drawn = others[int(dice.integers(len(others)))]
        texts += [passage.ids, passage.without(own), passage.without(places_of(passage, drawn))]
    logits = subject.logits(texts).reshape(len(passages), 3, -1)
    rest = np.delete(logits, label, 2)
    most = rest.max(2)
    scores = logits[:, :, label] - most - np.log(np.exp(rest - most[:, :, None]).sum(2))
    answers = logits.argmax(2)
    turned = (answers[:, 0] == label) & (answers[:, 1] != label)
    return Removed(scores[:, 0] - scores[:, 1], scores[:, 0] - scores[:, 2], turned.astype(float))


def removable(passage: Passage, word: str) -> bool:
    """Whether the passage holds the word and another one, so that both can be taken out."""
    own = places_of(passage, word)
    return bool(own) and len(own) < len(passage.words)
