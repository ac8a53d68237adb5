"""What a trained network and a count of words say together, and both as one head.

What a tuned encoder and words get wrong is often not the same. Source: Wolpert 1992, "Stacked
Generalization"; Genest and Zidek 1986, "Combining Probability Distributions", for multiplying
chances.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from luthier.core.errors import FixRecipe
from luthier.core.progress import Progress
from luthier.evaluate.predictions import ClassPredictions, FloatArray
from luthier.fewshot.forms.blend import Blend, joined
from luthier.fewshot.forms.layer import Layer
from luthier.fewshot.forms.lexical import Lexical
from luthier.fewshot.head import LadderHead, words_of
from luthier.fewshot.rung import Asked
from luthier.fewshot.rungs.blends import crossed, powers_of
from luthier.fewshot.rungs.lexical import STRENGTH
from luthier.stages.parts.answers import Exam, score_all, to_predictions
from luthier.stages.training import Trained
from luthier.stages.workshop import Workshop

PRIOR = np.asarray([0.7, 0.4])
"""Powers of network and words before any evidence."""
PER_LETTER = 1e-6
"""Seconds that words take to be learnt, per letter of the training rows and class."""
LETTERS = 4
"""Letters of a token, roughly."""


def letters(shop: Workshop) -> int:
    """Letters of the training rows, roughly."""
    lengths = shop.encoded.ids.lengths[shop.part(shop.prepared.splits.train)]
    return int(LETTERS * lengths.sum())


def seconds(shop: Workshop) -> float:
    """What learning the words is expected to take."""
    return 1 + PER_LETTER * letters(shop) * len(shop.head.labels.names)


def learn_words(shop: Workshop) -> Lexical:
    """Words and character sequences of the training rows, under linear scores of the classes."""
    train, encoded = shop.part(shop.prepared.splits.train), shop.encoded
    assert isinstance(encoded.targets, np.ndarray)
    truth = np.asarray(encoded.targets[train], np.int64)
    weights = np.asarray(encoded.weights[train], np.float64)
    return Lexical.fit(_words(shop, train), truth, weights, len(shop.head.labels.names), STRENGTH)


def _words(shop: Workshop, examples: NDArray[np.int64]) -> list[str]:
    """What is read of examples in training is what is read in use: the words of their tokens."""
    read = words_of(shop.contract.tokenizer)
    return [read(np.asarray(shop.encoded.ids[int(i)]).tolist()) for i in examples]


@dataclass(frozen=True)
class Both:
    """Labelled rows with the chances (N, C) of network and words."""

    labels: tuple[str, ...]
    truth: NDArray[np.int64]
    rows: NDArray[np.int64]
    chances: Sequence[FloatArray]

    @staticmethod
    def of(shop: Workshop, exam: Exam, lexical: Lexical) -> Both:
        """Asks the network as it is, and the words."""
        scores = score_all(shop.network, shop.head, exam)
        own = to_predictions(shop.task, shop.head.labels, exam, scores)
        assert isinstance(own, ClassPredictions)
        asked = Asked(_words(shop, exam.examples), np.zeros((len(exam.examples), 0)))
        chances = (np.asarray(own.probabilities, np.float64), lexical.probabilities(asked))
        truth, rows = (np.asarray(each, np.int64) for each in (own.truth, own.rows))
        return Both(own.labels, truth, rows, chances)

    def powers(self) -> FloatArray:
        """How much network and words count (2,), by these rows."""
        return powers_of(self.chances, self.truth, PRIOR)

    def joined(self, powers: FloatArray) -> FloatArray:
        """Both together (N, C)."""
        return joined(self.chances, "powers", powers)

    def crossed(self) -> FloatArray:
        """Both together (N, C), the powers for each row from other rows."""
        return crossed(self.chances, self.truth, PRIOR, np.arange(len(self.truth)) % 2)


def put_joint(shop: Workshop, lexical: Lexical, powers: FloatArray) -> None:
    """Network and words in place of the output layer; the recipe says so."""
    assert shop.network.output is not None
    state = shop.network.output.state_dict()
    weights, bias = (state[name].cpu().double().numpy() for name in ("weight", "bias"))
    fitted = Blend([Layer(weights, bias), lexical], "powers", powers)
    shop.head = LadderHead(shop.head.labels, fitted, words_of(shop.contract.tokenizer))
    shop.network.output = None
    train = shop.recipe.train.model_copy(update={"stack": "on"})
    shop.recipe = shop.recipe.model_copy(update={"train": train})


def join_words(shop: Workshop, trained: Trained, progress: Progress) -> None:
    """Joins the network of an ordinary run with words where `train.stack` asks for it; a search
    that ended so did it already.

    Raises: FixRecipe without validation rows, which say how much each counts, or for a network
    that several processes hold in parts.
    """
    if shop.recipe.train.stack == "off" or isinstance(shop.head, LadderHead):
        return
    check = shop.part(shop.prepared.splits.validation)
    if not len(check):
        raise FixRecipe("train.stack", "there are no validation rows",
                        "some, as they set how much network and words count")  # fmt: skip
    if shop.network.in_parts:
        raise FixRecipe("train.stack", "the network is held in parts (fast.shard)", "one process")
    progress.start("joining the network with words", None, "")
    lexical = learn_words(shop)
    exam = Exam(shop.encoded, check, shop.prepared.table, shop.batch_plan(), trained.hidden)
    powers = Both.of(shop, exam, lexical).powers()
    put_joint(shop, lexical, powers)
    said = f"joined with words: powers {powers[0]:.2f} of the network, {powers[1]:.2f} of words"
    trained.notes.append(said)
    progress.say(said)
