"""How likely a language model finds whole sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from luthier.core.progress import Progress
from luthier.core.types import Task
from luthier.data.feed.batches import BatchPlan
from luthier.data.feed.encode import encode
from luthier.data.feed.labels import HeadFacts, LabelSet
from luthier.explain.attribution import Floats
from luthier.models.build import build_head
from luthier.stages.parts.answers import Exam, score_all
from luthier.stages.parts.keeping import Tuned
from luthier.stages.workshop import pad_id


@dataclass(frozen=True)
class _Sentences:
    """Sentences as rows of raw text."""

    listed: Sequence[str]
    task: Task = Task.ADAPT

    def __len__(self) -> int:
        return len(self.listed)

    def row(self, index: int) -> dict[str, Any]:
        """One sentence."""
        return {"text": self.listed[index]}

    def take(self, indices: Sequence[int]) -> Iterator[dict[str, Any]]:
        """Several, in order."""
        return (self.row(index) for index in indices)

    def source_row(self, index: int) -> int:
        """Its number."""
        return index + 1


def log_likelihoods(tuned: Tuned, sentences: Sequence[str], progress: Progress) -> Floats:
    """The log-probability of each sentence (N,) in nats, all its tokens together."""
    rows: Any = _Sentences(sentences)
    labels = LabelSet(())
    encoded = encode(rows, tuned.contract, labels, "the sentence pairs")
    head = build_head(Task.ADAPT, HeadFacts(labels), tuned.recipe.train)
    exam = Exam(encoded, np.arange(len(encoded)), rows, BatchPlan(32, 0, pad_id(tuned.base)))
    progress.start("reading sentence pairs", len(encoded), "texts")
    scores = np.stack(score_all(tuned.network, head, exam, progress)).astype(np.float64)
    found = np.zeros(len(sentences))
    np.add.at(found, encoded.rows, -scores[:, 0])
    return found
