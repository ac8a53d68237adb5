"""Whether what a search chose ships together with words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from luthier.evaluate.measure import metric, metrics_of
from luthier.evaluate.predictions import ClassPredictions, FloatArray
from luthier.fewshot.forms.lexical import Lexical
from luthier.recipe.tune import Tune
from luthier.search.choosing.final import SURE
from luthier.search.choosing.paired import Difference, difference, together
from luthier.search.trial import UNITS, Observation
from luthier.stages.combinations import stack_obstacle
from luthier.stages.stacking.joint import Both, learn_words, letters
from luthier.stages.tuning.goal import Goal
from luthier.stages.tuning.member import Member
from luthier.stages.tuning.rows import Halves
from luthier.stages.workshop import Workshop

MOST_LETTERS = 30_000_000
"""Letters of the training rows above which words are left out: every term is kept in memory."""


@dataclass(frozen=True)
class Stack:
    """What joining showed: `gain` on the rows that chose nothing, where the metric is `alone` of
    the network and `both` of it with words; `powers` (2,) of network and words."""

    kept: bool
    why: str
    gain: Difference
    alone: float
    both: float
    powers: FloatArray
    lexical: Lexical

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready, without the classifier."""
        network, words = (float(power) for power in self.powers)
        return {
            "kept": self.kept, "why": self.why, "gain": self.gain.mean, "error": self.gain.error,
            "rows": self.gain.rows, "network": self.alone, "together": self.both,
            "powers": {"network": network, "words": words},
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
    if goal.conditions.constraints or len(goal.objectives) > 1:
        return "conditions and further objectives are measured on the network alone"
    if shop.recipe.train.stack == "on":
        return "the recipe joins them in any case"
    if why := stack_obstacle(shop.recipe, shop.task):
        return why
    many = letters(shop) > MOST_LETTERS
    return "the training rows have too many different words to be counted" if many else ""


def stack(member: Member, halves: Halves, wanted: str) -> Stack:
    """The network joined with words learnt from the training rows. The first half of the validation
    rows sets the powers; both are kept together where that is surely better, by all validation
    rows, and no worse on the second half, which had no part in it."""
    shop = member.shop
    lexical = learn_words(shop)
    first, second = (
        Both.of(shop, member.exam(half), lexical) for half in (halves.first, halves.second)
    )
    powers = first.powers()
    alone = [_seen(part, part.chances[0], wanted) for part in (first, second)]
    both = [_seen(first, first.crossed(), wanted), _seen(second, second.joined(powers), wanted)]
    found = [difference(*pair) for pair in zip(both, alone, strict=True)]
    sign = 1.0 if metric(wanted).direction == "higher" else -1.0
    rise = sign * (both[1].score - alone[1].score)
    sure = together(found).chance
    why = (
        f"network and words reach {both[1].score:.4f} {wanted} against {alone[1].score:.4f} of the "
        f"network alone on rows that chose nothing; by all validation rows it is "
        f"{100 * sure:.0f} % sure that they are better, and {100 * SURE:.0f} are asked for"
    )
    kept = sure >= SURE and found[1].mean >= 0 and rise >= 0
    return Stack(kept, why, found[1], alone[1].score, both[1].score, powers, lexical)


def _seen(part: Both, chances: FloatArray, wanted: str) -> Observation:
    """What the metric and each row say; rows are right or wrong where a share is to be high."""
    answers = ClassPredictions(part.labels, part.truth, chances, part.rows)
    own = chances[np.arange(len(part.truth)), part.truth]
    losses = -np.log(np.maximum(own, 1e-9)).astype(np.float32)
    known = metric(wanted)
    by_rows = known.share and known.direction == "higher"
    return Observation(
        UNITS, metrics_of(answers)[wanted], float(losses.mean()), float("nan"), 0.0,
        losses=losses, right=chances.argmax(1) == part.truth if by_rows else None,
    )  # fmt: skip
