"""The untouched base as something that answers the same questions as the tuned model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from luthier.core.progress import Progress
from luthier.core.types import Task
from luthier.data.feed.batches import BatchPlan
from luthier.data.feed.encode import encode
from luthier.evaluate.baseline import LinearProbe
from luthier.evaluate.predictions import FloatArray, IntArray
from luthier.explain.subject import Subject
from luthier.models.network import Network
from luthier.stages.parts.answers import Exam, features, truth_of
from luthier.stages.parts.keeping import Tuned, untouched
from luthier.stages.prepare import Prepared
from luthier.stages.workshop import pad_id


@contextmanager
def untouched_subject(tuned: Tuned, prepared: Prepared, progress: Progress) -> Iterator[Subject]:
    """The base as it was before training, while the context lasts.

    A classifier's base gets the output layer that the evaluation compares with: a linear probe
    fitted on the training rows. A model that writes has its own.
    """
    with untouched(tuned.network, tuned.base) as plain:
        network = plain
        if tuned.task is Task.CLASSIFY:
            progress.start("a linear probe on the untouched base", None, "")
            network = Network(
                plain.model, _probe(tuned, prepared, plain), plain.pooling, plain.kind
            )
            network.mode(False, False)
        yield Subject.of(network, tuned.head, tuned.base.tokenizer, pad_id(tuned.base))


def _probe(tuned: Tuned, prepared: Prepared, plain: Network) -> nn.Linear:
    splits = prepared.splits
    known = _learnt(tuned, prepared, splits.train, plain)
    checked = _learnt(tuned, prepared, splits.validation, plain)
    probe = LinearProbe.fit(tuned.head.labels.names, known, checked)
    weight, bias = probe.linear()
    layer = nn.Linear(weight.shape[1], weight.shape[0])
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(weight))
        layer.bias.copy_(torch.from_numpy(bias))
    return layer.to(next(plain.parameters()).device)


def _learnt(
    tuned: Tuned, prepared: Prepared, rows: NDArray[np.int64], plain: Network
) -> tuple[FloatArray, IntArray]:
    """Features and classes of some table rows."""
    if not len(rows):
        return np.zeros((0, int(plain.plain.config.hidden_size))), np.zeros(0, np.int64)
    place = tuned.recipe.data.train
    encoded = encode(
        prepared.table, tuned.contract, tuned.head.labels, place, [int(r) for r in rows]
    )
    plan = BatchPlan(tuned.recipe.train.batch_size, 0, pad_id(tuned.base))
    exam = Exam(encoded, np.arange(len(encoded)), prepared.table, plan)
    return features(plain, exam), truth_of(exam)
