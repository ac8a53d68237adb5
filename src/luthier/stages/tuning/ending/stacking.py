"""The network that a search chose, joined with a classifier of words where both are better.

What a tuned encoder and a count of words get wrong is often not the same. Source: Wolpert 1992,
"Stacked Generalization"; Genest and Zidek 1986 for multiplying chances.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from luthier.core.types import Task
from luthier.evaluate.measure import metric, metrics_of
from luthier.evaluate.predictions import ClassPredictions, FloatArray
from luthier.fewshot.forms.blend import Blend, joined
from luthier.fewshot.forms.layer import Layer
from luthier.fewshot.forms.lexical import Lexical
from luthier.fewshot.head import LadderHead, words_of
from luthier.fewshot.rung import Asked
from luthier.fewshot.rungs.blends import powers_of
from luthier.fewshot.rungs.lexical import STRENGTH
from luthier.recipe.tune import Tune
from luthier.search.choosing.final import SURE
from luthier.search.choosing.paired import Difference, difference, together
from luthier.search.trial import UNITS, Observation
from luthier.stages.parts.answers import truth_of
from luthier.stages.tuning.goal import Goal
from luthier.stages.tuning.member import Member
from luthier.stages.tuning.rows import Halves
from luthier.stages.workshop import Workshop

PRIOR = np.asarray([0.7, 0.4])
"""Powers of network and words before any evidence."""
PER_LETTER = 1e-6
"""Seconds that words take to be learnt, per letter of the training rows and class."""
MOST_LETTERS = 30_000_000
"""Letters of the training rows from which their terms would fill the memory."""
NETWORK, TOGETHER = "network", "together"


@dataclass(frozen=True)
class Stack:
    """What joining showed: `gain` on the rows that chose nothing, the metric of the network and of
    both there, and the powers of network and words."""

    kept: bool
    why: str
    gain: Difference
    scores: dict[str, float]
    powers: tuple[float, float]
    fitted: Blend

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready, without the classifier."""
        return {
            "kept": self.kept, "why": self.why, "gain": self.gain.mean, "error": self.gain.error,
            "rows": self.gain.rows, **self.scores,
            "powers": {"network": self.powers[0], "words": self.powers[1]},
        }  # fmt: skip

    @property
    def advice(self) -> str:
        """A sentence for someone who never joined models; empty where the network stays alone."""
        if not self.kept:
            return ""
        return (
            f" The network is joined with a classifier of words: on {self.gain.rows} rows that had "
            f"no part in it, both together gain {self.gain.mean:+.3f} (standard error "
            f"{self.gain.error:.3f}) over the network alone; tune.stack: off keeps it alone."
        )


def refusal(shop: Workshop, goal: Goal, section: Tune) -> str:
    """Why the network stays alone whatever words can tell; empty where joining may be tried."""
    if section.stack == "off":
        return "tune.stack is off"
    if shop.task is not Task.CLASSIFY:
        return "only classifiers are joined with words"
    if goal.conditions.constraints or len(goal.objectives) > 1:
        return "conditions and further objectives are measured on the network alone"
    if shop.recipe.safety is not None or shop.recipe.repair is not None:
        return "safety and repair have to do with the network alone"
    if letters(shop) > MOST_LETTERS:
        return "the training rows have too many different words to be counted"
    return ""


def letters(shop: Workshop) -> int:
    """Letters of the training rows, roughly."""
    lengths = shop.encoded.ids.lengths[shop.part(shop.prepared.splits.train)]
    return int(4 * lengths.sum())


def seconds(shop: Workshop) -> float:
    """What learning the words is expected to take."""
    return 1 + PER_LETTER * letters(shop) * len(shop.head.labels.names)


def stack(member: Member, halves: Halves, wanted: str) -> Stack:
    """The network joined with words learnt from the training rows. The first half of the validation
    rows sets the powers; both are kept together where that is surely better, by all validation
    rows, and no worse on the second half, which had no part in it."""
    shop = member.shop
    lexical = _lexical(shop)
    parts = [_Part.of(member, lexical, half, wanted) for half in (halves.first, halves.second)]
    first, second = parts
    powers = powers_of(first.chances, first.truth, PRIOR)
    alone = [part.seen(part.chances[0]) for part in parts]
    both = [first.seen(first.crossed()), second.seen(second.joined(powers))]
    found = [difference(*pair) for pair in zip(both, alone, strict=True)]
    sign = 1.0 if metric(wanted).direction == "higher" else -1.0
    rises = sign * (both[1].score - alone[1].score)
    sure = together(found).chance
    kept = sure >= SURE and found[1].mean >= 0 and rises >= 0
    scores = {NETWORK: alone[1].score, TOGETHER: both[1].score}
    why = (
        f"network and words together answer {wanted} {scores[TOGETHER]:.4f} against "
        f"{scores[NETWORK]:.4f} on rows that chose nothing; that they are better is "
        f"{100 * sure:.0f} % sure by all validation rows, {100 * SURE:.0f} are asked for"
    )
    fitted = Blend([_layer(shop), lexical], "powers", powers)
    return Stack(kept, why, found[1], scores, (float(powers[0]), float(powers[1])), fitted)


def put(shop: Workshop, made: Stack) -> None:
    """Network and words in place of the output layer."""
    shop.head = LadderHead(shop.head.labels, made.fitted, words_of(shop.contract.tokenizer))
    shop.network.output = None


def _layer(shop: Workshop) -> Layer:
    assert shop.network.output is not None
    state = shop.network.output.state_dict()
    weights, bias = (state[name].cpu().double().numpy() for name in ("weight", "bias"))
    return Layer(weights, bias)


def _lexical(shop: Workshop) -> Lexical:
    train = shop.part(shop.prepared.splits.train)
    encoded = shop.encoded
    assert isinstance(encoded.targets, np.ndarray)
    truth = np.asarray(encoded.targets[train], np.int64)
    weights = np.asarray(encoded.weights[train], np.float64)
    return Lexical.fit(_words(shop, train), truth, weights, len(shop.head.labels.names), STRENGTH)


def _words(shop: Workshop, examples: NDArray[np.int64]) -> list[str]:
    """What is read of examples in training is what is read in use: the words of their tokens."""
    read = words_of(shop.contract.tokenizer)
    return [read(np.asarray(shop.encoded.ids[int(i)]).tolist()) for i in examples]


@dataclass(frozen=True)
class _Part:
    """Validation rows with the chances (N, C) of network and words."""

    labels: tuple[str, ...]
    wanted: str
    truth: NDArray[np.int64]
    rows: NDArray[np.int64]
    chances: Sequence[FloatArray]

    @staticmethod
    def of(member: Member, lexical: Lexical, examples: NDArray[np.int64], wanted: str) -> _Part:
        """Asks both."""
        shop = member.shop
        own = member.answers(examples, wanted)
        assert isinstance(own, ClassPredictions)
        asked = Asked(_words(shop, examples), np.zeros((len(examples), 0)))
        truth = truth_of(member.exam(examples))
        chances = (np.asarray(own.probabilities, np.float64), lexical.probabilities(asked))
        return _Part(own.labels, wanted, truth, np.asarray(own.rows, np.int64), chances)

    def joined(self, powers: FloatArray) -> FloatArray:
        """Both together (N, C)."""
        return joined(self.chances, "powers", powers)

    def crossed(self) -> FloatArray:
        """Both together, the powers for each row from other rows."""
        made = np.zeros_like(self.chances[0])
        owner = np.arange(len(self.truth)) % 2
        for part in (0, 1):
            mine = owner == part
            powers = powers_of([c[~mine] for c in self.chances], self.truth[~mine], PRIOR)
            made[mine] = joined([c[mine] for c in self.chances], "powers", powers)
        return made

    def seen(self, chances: FloatArray) -> Observation:
        """What the metric and each row say; rows are right or wrong where a share is to be high."""
        answers = ClassPredictions(self.labels, self.truth, chances, self.rows)
        own = chances[np.arange(len(self.truth)), self.truth]
        losses = -np.log(np.maximum(own, 1e-9)).astype(np.float32)
        known = metric(self.wanted)
        by_rows = known.share and known.direction == "higher"
        right = chances.argmax(1) == self.truth if by_rows else None
        score = metrics_of(answers)[self.wanted]
        return Observation(UNITS, score, float(losses.mean()), float("nan"), 0.0, losses=losses,
                           right=right)  # fmt: skip
