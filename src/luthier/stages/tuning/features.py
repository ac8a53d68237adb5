"""What a task looks like before any training: the description under which its history is kept."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from luthier.core.types import Task
from luthier.evaluate.measure import metrics_of
from luthier.stages.parts.answers import rows_of, truth_of
from luthier.stages.tuning.shared import SharedBase
from luthier.stages.workshop import Workshop

NEIGHBOURS = 5


def task_features(shared: SharedBase) -> dict[str, float]:
    """Numbers by name: rows, labels, lengths, model size, and cheap probes of the untouched base.

    Probes read training rows and the first validation half only. Source: the probes follow
    TuneAhead (2026), section 3.
    """
    found = plain_features(shared.shop, len(shared.halves.first))
    return found | (_probes(shared) if shared.shop.task is Task.CLASSIFY else {})


def plain_features(shop: Workshop, validation_rows: int) -> dict[str, float]:
    """The part of the features that needs no pass through the model."""
    train = shop.part(shop.prepared.splits.train)
    lengths = shop.encoded.lengths[train]
    config = shop.network.plain.config
    found = {
        "log_rows": math.log(len(train)),
        "log_validation_rows": math.log(max(1, validation_rows)),
        "log_mean_tokens": math.log(float(lengths.mean())),
        "log_long_tokens": math.log(float(np.quantile(lengths, 0.95))),
        "log_parameters": math.log(sum(p.numel() for p in shop.base.network.parameters())),
        "log_width": math.log(config.hidden_size),
        "layers": float(shop.network.stack.layers),
    }
    if shop.task is not Task.CLASSIFY:
        return found
    truth = truth_of(shop.exam(shop.encoded, train))
    counts = np.bincount(truth, minlength=len(shop.head.labels.names)) / len(truth)
    seen = counts[counts > 0]
    return found | {
        "log_labels": math.log(len(counts)),
        "label_entropy": float(-(seen * np.log(seen)).sum()) / math.log(max(2, len(counts))),
        "majority": float(counts.max()),
        "rows_per_label": math.log(len(truth) / len(counts)),
    }


def family_of(shop: Workshop) -> str:
    """The data set a run is about, as far as its file tells."""
    place = Path(shop.recipe.data.train)
    return (
        place.parent.name if place.stem in ("train", "data") and place.parent.name else place.stem
    )


def anchor(shared: SharedBase) -> float:
    """The wanted metric of the untouched base on the first validation half: of the linear probe
    for classes, else of the network before its first update."""
    if shared.probe is None:
        return shared.before()
    exam = shared.shop.exam(shared.shop.encoded, shared.halves.first)
    vectors = shared.vectors(shared.halves.first)
    found = metrics_of(shared.probe.predict(vectors, truth_of(exam), rows_of(exam)))
    return found[shared.metric] if shared.metric in found else shared.before()


def _probes(shared: SharedBase) -> dict[str, float]:
    shop = shared.shop
    train, check = shop.part(shop.prepared.splits.train), shared.halves.first
    known, asked = shop.exam(shop.encoded, train), shop.exam(shop.encoded, check)
    vectors, others = shared.vectors(train), shared.vectors(check)
    found = {"neighbours": _neighbours(vectors, truth_of(known), others, truth_of(asked))}
    if shared.probe is None:
        return found
    for name, exam, these in (("train", known, vectors), ("validation", asked, others)):
        answers = shared.probe.predict(these, truth_of(exam), rows_of(exam))
        right = answers.probabilities.argmax(1) == answers.truth
        found[f"probe_{name}"] = float(right.mean())
    return found


def _neighbours(
    known: NDArray[np.float32],
    truth: NDArray[np.int64],
    asked: NDArray[np.float32],
    wanted: NDArray[np.int64],
) -> float:
    """Accuracy of the five nearest training rows by cosine."""
    unit = known / np.maximum(np.linalg.norm(known, axis=1, keepdims=True), 1e-9)
    near = np.argsort(-(asked @ unit.T), axis=1)[:, :NEIGHBOURS]
    said = [int(np.bincount(truth[line]).argmax()) for line in near]
    return float((np.asarray(said) == wanted).mean())
