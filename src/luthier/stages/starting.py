"""Where the training of a classifier starts: a probe to beat, a gentler one, or its labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from luthier.core.progress import Progress
from luthier.core.types import Task
from luthier.data.feed.encode import Encoded
from luthier.data.feed.example import encode_texts
from luthier.data.feed.ragged import Ragged
from luthier.evaluate.baseline import LabelNames, LinearProbe, humanise
from luthier.evaluate.predictions import FloatArray
from luthier.models.network import Network
from luthier.stages.parts.answers import Exam, features, truth_of
from luthier.stages.workshop import Workshop
from luthier.train.sharded import fill
from luthier.train.state import TrainingState
from luthier.train.watcher import Report
from luthier.train.world import World


def put_probe(
    shop: Workshop,
    exam: Exam,
    train_part: NDArray[np.int64],
    hidden: Ragged | None,
    progress: Progress,
) -> LinearProbe | None:
    """A linear probe on the untouched base, in the output layer: what training has to beat.

    Source: Kumar et al. 2022, "Fine-Tuning can Distort Pretrained Features", section 4.
    """
    if shop.task is not Task.CLASSIFY or not shop.recipe.evaluate.probe:
        return None
    progress.start("a linear probe on the untouched base", None, "")
    learn = Exam(shop.encoded, train_part, exam.table, exam.plan, hidden)
    known = (features(shop.network, learn), truth_of(learn))
    checked = (features(shop.network, exam), truth_of(exam))
    probe = LinearProbe.fit(shop.head.labels.names, known, checked)
    _put(shop.network, probe.linear())
    return probe


def name_vectors(shop: Workshop, network: Network, exam: Exam) -> FloatArray:
    """The names of the labels as `network` reads them (C, D)."""
    names = encode_texts([humanise(name) for name in shop.head.labels.names], shop.contract)
    told = Encoded(
        Task.CLASSIFY,
        Ragged.pack((e.ids[0] for e in names), "int32"),
        np.arange(len(names)),
        np.ones(len(names), np.float32),
    )
    return features(network, Exam(told, np.arange(len(names)), exam.table, exam.plan))


def put_names(shop: Workshop, exam: Exam) -> None:
    """The names of the labels in the output layer, where no row may be looked at beforehand."""
    if shop.task is Task.CLASSIFY:
        named = LabelNames(shop.head.labels.names, name_vectors(shop, shop.network, exam))
        _put(shop.network, named.linear())


@dataclass
class StartGently:
    """Training starts from the probe's gentle fit once the best one has been measured and kept."""

    probe: LinearProbe

    def begin(self, state: TrainingState) -> None:
        """Puts the fit into the output layer, before the first update only."""
        if state.step == 0:
            _put(state.network, self.probe.linear(start=True))

    def after(self, state: TrainingState, report: Report) -> None:
        """Nothing to do."""

    def end(self, state: TrainingState) -> None:
        """Nothing to tidy."""


def _put(network: Network, layer: tuple[FloatArray, FloatArray]) -> None:
    output = network.output
    assert isinstance(output, nn.Linear)
    fill(output.weight, torch.from_numpy(layer[0]), World.join())
    fill(output.bias, torch.from_numpy(layer[1]), World.join())
