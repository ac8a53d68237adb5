"""A trial while it is attached to the shared base, and what can be measured of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from luthier.core.errors import FixRecipe
from luthier.core.types import Task
from luthier.data.feed.batches import EpochBatches
from luthier.data.feed.ragged import Ragged
from luthier.evaluate.measure import metrics_of
from luthier.evaluate.predictions import Predictions
from luthier.search.trial import Observation, Slice
from luthier.stages.parts.answers import Exam, score_all, to_predictions
from luthier.stages.tuning.rows import row_losses
from luthier.stages.workshop import Workshop
from luthier.train.state import TrainingState
from luthier.train.step import Step

WRITTEN_ROWS = 64
"""Validation prompts that a metric of written text is measured on."""


@dataclass
class Member:
    """A trial while it is attached to the base."""

    shop: Workshop
    state: TrainingState
    step: Step
    batches: EpochBatches
    hidden: Ragged | None

    def exam(self, examples: NDArray[np.int64]) -> Exam:
        """The questions of some examples."""
        shop = self.shop
        return Exam(shop.encoded, examples, shop.prepared.table, shop.batch_plan(), self.hidden)

    def answers(self, examples: NDArray[np.int64], metric: str) -> Predictions:
        """What the network says; text is written only where the metric needs it."""
        shop, exam = self.shop, self.exam(examples)
        scores = score_all(shop.network, shop.head, exam)
        if shop.task is Task.INSTRUCT and needs_text(metric):
            from luthier.stages.parts.generation import written

            return written(shop, shop.network, exam, scores, rows=WRITTEN_ROWS)
        return to_predictions(shop.task, shop.head.labels, exam, scores)

    def observation(
        self,
        examples: NDArray[np.int64],
        metric: str,
        unit: int,
        reference: NDArray[np.float32] | None,
    ) -> Observation:
        """What some examples show after so many units; without cost and training loss.

        Raises: FixRecipe when the metric has no value on them.
        """
        answers = self.answers(examples, metric)
        found = metrics_of(answers)
        if metric not in found:
            raise FixRecipe("tune.maximize", f"{metric!r} has no value on these validation rows",
                            ", ".join(sorted(found)))  # fmt: skip
        losses, right = row_losses(
            self.shop.network, self.shop.head, self.exam(examples), answers, reference
        )
        return Observation(
            unit=unit,
            score=found[metric],
            loss=float(losses.mean()),
            train_loss=float("nan"),
            cost=0.0,
            measures=found,
            losses=losses,
            right=right,
        )


def no_measures(member: Member, piece: Slice) -> dict[str, float]:
    """Nothing beside the metrics is measured."""
    return {}


def needs_text(metric: str) -> bool:
    """Whether the metric is measured on written answers."""
    return metric in ("exact_match", "chrf") or metric.startswith("rouge")
