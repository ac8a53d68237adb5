"""What a classifier says about texts that stand in no file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from luthier.core.errors import CheckRun
from luthier.core.progress import Progress
from luthier.core.types import Task
from luthier.data.feed.batches import BatchPlan
from luthier.data.feed.contract import PromptContract
from luthier.data.feed.example import encode_texts
from luthier.explain.attribution import Floats
from luthier.models.head import Head
from luthier.models.network import Network
from luthier.stages.parts.answers import Exam, score_all
from luthier.stages.parts.keeping import Tuned
from luthier.stages.predicting import without_truth
from luthier.stages.workshop import Workshop, pad_id

BLOCK = 4096


@dataclass(frozen=True)
class Reader:
    """A classifier as it is asked about texts."""

    network: Network
    head: Head
    contract: PromptContract
    pad: int

    @staticmethod
    def of(model: Tuned | Workshop) -> Reader:
        """The reader of a finished run, or of one in training."""
        return Reader(model.network, model.head, model.contract, pad_id(model.base))

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes, in the order of the chances."""
        return self.head.labels.names

    def chances(self, texts: Sequence[str], progress: Progress | None = None) -> Floats:
        """Probabilities of the classes (N, C), in the order of the texts.

        Raises: CheckRun for chances that are no numbers.
        """
        found = [
            self._block(texts[at : at + BLOCK], progress) for at in range(0, len(texts), BLOCK)
        ]
        chances = np.concatenate(found) if found else np.zeros((0, len(self.labels)))
        if not np.isfinite(chances).all():
            raise CheckRun(
                "the model", "its chances are not finite numbers", "a number for each class",
                "train it again at a lower learning rate",
            )  # fmt: skip
        return chances

    def _block(self, texts: Sequence[str], progress: Progress | None) -> Floats:
        encoded = without_truth(
            encode_texts(texts, self.contract, with_offsets=False), Task.CLASSIFY
        )
        exam = Exam(encoded, np.arange(len(texts)), None, BatchPlan(64, 0, self.pad))  # type: ignore[arg-type]
        return np.stack(score_all(self.network, self.head, exam, progress)).astype(np.float64)
