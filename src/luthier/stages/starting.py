"""Where training starts: a probe to beat, a gentler one, the labels, or how often each occurs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from luthier.core.progress import Progress
from luthier.core.seeds import derive
from luthier.core.types import Task
from luthier.data.feed.batches import collate
from luthier.data.feed.encode import Encoded
from luthier.data.feed.example import encode_texts
from luthier.data.feed.ragged import Ragged
from luthier.evaluate.baseline import LabelNames, LinearProbe, humanise
from luthier.evaluate.predictions import FloatArray, IntArray
from luthier.models.network import Network
from luthier.stages.parts.answers import Exam, features, truth_of
from luthier.stages.workshop import Workshop
from luthier.train.sharded import fill
from luthier.train.state import TrainingState
from luthier.train.watcher import Report
from luthier.train.world import World

PROBE_TOKENS = 20_000
"""Tokens that a probe of marks learns from: enough for a layer, and seconds for any number of
rows."""
UNTOLD = -100
"""The target of a token without a tag."""


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
    put_layer(shop.network, probe.linear())
    return probe


def put_start(
    shop: Workshop, exam: Exam, train_part: NDArray[np.int64], hidden: Ragged | None
) -> LinearProbe | None:
    """Where training starts for what no probe of whole texts is made: marks and several labels."""
    _put_shares(shop, train_part)
    return _put_marks(shop, exam, train_part, hidden)


def _put_marks(
    shop: Workshop, exam: Exam, train_part: NDArray[np.int64], hidden: Ragged | None
) -> LinearProbe | None:
    """A linear probe of single tokens in the output layer, where stretches of text are marked.

    A layer of random numbers marks everything, which counts for more than nothing at first, and
    a network on its way marks nothing for a while. None where there is one tag only.
    """
    if shop.task is not Task.TAG or not shop.recipe.evaluate.probe:
        return None
    known = _tokens(shop, Exam(shop.encoded, train_part, exam.table, exam.plan, hidden))
    if len(np.unique(known[1])) < 2:
        return None
    probe = LinearProbe.fit(shop.head.labels.tags, known, _tokens(shop, exam))
    put_layer(shop.network, probe.linear())
    return probe


def _tokens(shop: Workshop, exam: Exam) -> tuple[FloatArray, IntArray]:
    """Vectors (N, D) and tags (N,) of the tokens of some rows, drawn by lot."""
    network, vectors, tags, count = shop.network, [], [], 0
    network.mode(False, False)
    random = np.random.default_rng(derive(shop.recipe.train.seed, "tokens of the probe"))
    some = random.permutation(exam.examples)
    with torch.no_grad():
        for start in range(0, len(some), exam.rows_per_pass):
            part = some[start : start + exam.rows_per_pass]
            batch = collate(exam.encoded, part, exam.plan, exam.hidden).to(shop.device)
            assert batch.targets is not None
            told = batch.targets != UNTOLD
            vectors.append(network.run(partial(network.hidden, batch))[told].float().cpu().numpy())
            tags.append(batch.targets[told].cpu().numpy())
            count += len(tags[-1])
            if count >= PROBE_TOKENS:
                break
    return np.concatenate(vectors), np.concatenate(tags).astype(np.int64)


def _put_shares(shop: Workshop, train_part: NDArray[np.int64]) -> None:
    """Each label as likely as its share of the training rows, where a row may have several."""
    if shop.task is not Task.MULTILABEL or not shop.recipe.evaluate.probe:
        return
    told = np.asarray(shop.encoded.targets)[train_part] > 0.5
    share = (told.sum(axis=0) + 1) / (len(told) + 2)
    width = int(shop.network.plain.config.hidden_size)
    put_layer(shop.network, (np.zeros((len(share), width)), np.log(share / (1 - share))))


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
        put_layer(shop.network, named.linear())


@dataclass
class StartGently:
    """Training starts from the probe's gentle fit once the best one has been measured and kept;
    from a part of it, where `share` is below 1."""

    probe: LinearProbe
    share: float = 1.0

    def begin(self, state: TrainingState) -> None:
        """Puts the fit into the output layer, before the first update only."""
        if state.step == 0:
            put_layer(state.network, self.probe.linear(start=True, share=self.share))

    def after(self, state: TrainingState, report: Report) -> None:
        """Nothing to do."""

    def end(self, state: TrainingState) -> None:
        """Nothing to tidy."""


def put_layer(network: Network, layer: tuple[FloatArray, FloatArray]) -> None:
    """Puts weights (C, D) and biases (C,) into the output layer."""
    output = network.output
    assert isinstance(output, nn.Linear)
    fill(output.weight, torch.from_numpy(layer[0]), World.join())
    fill(output.bias, torch.from_numpy(layer[1]), World.join())
