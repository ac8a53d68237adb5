"""From a network's scores to predictions that can be measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from luthier.core.memory import give_back
from luthier.core.progress import Progress, Silence
from luthier.core.types import Task
from luthier.data.feed.batches import BatchPlan, collate, sequential
from luthier.data.feed.encode import Encoded
from luthier.data.feed.labels import LabelSet, spans_from_tags
from luthier.data.feed.ragged import Ragged
from luthier.data.table import Table
from luthier.evaluate.predictions import (
    ClassPredictions,
    MaskedPredictions,
    MultilabelPredictions,
    Predictions,
    PreferencePredictions,
    SpanPredictions,
    TextPredictions,
    ValuePredictions,
)
from luthier.models.head import Head
from luthier.models.network import Network

LEAST_CHANCE = 1e-7
"""What a chance counts for at least in a loss: float32 has zeros where none are meant."""


@dataclass(frozen=True)
class Exam:
    """Encoded rows to be answered, and how they are batched."""

    encoded: Encoded
    examples: NDArray[np.int64]
    table: Table
    plan: BatchPlan
    hidden: Ragged | None = None
    rows_per_pass: int = 64


def score_all(
    network: Network, head: Head, exam: Exam, progress: Progress | None = None
) -> list[NDArray[np.float32]]:
    """The head's scores of each example, in the exam's order; memory is bounded by the batches."""
    network.mode(False, False)
    place = {int(example): i for i, example in enumerate(exam.examples)}
    scores: list[Any] = [None] * len(exam.examples)
    device = str(next(network.parameters()).device)
    listener = progress or Silence()
    with torch.no_grad():
        for part in sequential(exam.encoded, exam.examples, exam.plan, exam.rows_per_pass):
            batch = collate(exam.encoded, part, exam.plan, exam.hidden).to(device)
            found = network.run(partial(head.scores, network, batch))
            for example, score in zip(part, found, strict=True):
                scores[place[int(example)]] = score
            listener.advance(len(part))
    give_back()
    return scores


def features(network: Network, exam: Exam) -> NDArray[np.float32]:
    """One pooled vector per example (N, D), in the exam's order."""
    network.mode(False, False)
    place = {int(example): i for i, example in enumerate(exam.examples)}
    width = int(network.plain.config.hidden_size)
    found = np.zeros((len(exam.examples), width), np.float32)
    device = str(next(network.parameters()).device)
    with torch.no_grad():
        for part in sequential(exam.encoded, exam.examples, exam.plan, exam.rows_per_pass):
            batch = collate(exam.encoded, part, exam.plan, exam.hidden).to(device)
            vectors = network.run(partial(network.pooled, batch)).float().cpu().numpy()
            found[[place[int(e)] for e in part]] = vectors
    give_back()
    return found


def truth_of(exam: Exam) -> NDArray[np.int64]:
    """Class numbers of the exam's rows (N,)."""
    assert isinstance(exam.encoded.targets, np.ndarray)
    return np.asarray(exam.encoded.targets[exam.examples], np.int64)


def loss_of(exam: Exam, scores: Sequence[NDArray[np.float32]]) -> float:
    """Mean negative logarithm of the chance of what is true, over tags or over labels of rows."""
    losses = []
    for example, chances in zip(exam.examples, scores, strict=True):
        assert exam.encoded.targets is not None
        wanted = np.asarray(exam.encoded.targets[int(example)])
        if chances.ndim == 2:
            told = np.flatnonzero(wanted >= 0)
            right = chances[told, wanted[told].astype(np.int64)]
        else:
            right = np.where(wanted > 0.5, chances, 1 - chances)
        losses.append(-np.log(np.maximum(right, LEAST_CHANCE)).mean() if len(right) else 0.0)
    return float(np.mean(losses)) if losses else 0.0


def rows_of(exam: Exam) -> NDArray[np.int64]:
    """Table rows of the exam (N,)."""
    return np.asarray(exam.encoded.rows[exam.examples], np.int64)


def to_predictions(
    task: Task, labels: LabelSet, exam: Exam, scores: Sequence[NDArray[np.float32]]
) -> Predictions:
    """Scores as a record that can be measured; texts are measured by their likelihood only."""
    rows = rows_of(exam)
    if task is Task.CLASSIFY:
        return ClassPredictions(labels.names, truth_of(exam), np.stack(scores), rows)
    if task is Task.MULTILABEL:
        assert isinstance(exam.encoded.targets, np.ndarray)
        truth = np.asarray(exam.encoded.targets[exam.examples], np.float32) > 0.5
        return MultilabelPredictions(labels.names, truth, np.stack(scores), rows)
    if task is Task.REGRESS:
        assert isinstance(exam.encoded.targets, np.ndarray)
        wanted = np.asarray(exam.encoded.targets[exam.examples], np.float64)
        return ValuePredictions(wanted, np.stack(scores)[:, 0].astype(np.float64), rows)
    if task is Task.TAG:
        truth_spans = [_spans(exam.table.row(int(r))["spans"]) for r in rows]
        return SpanPredictions(truth_spans, spans_of(exam, labels, scores), rows)
    if exam.encoded.masking is not None:
        found = np.stack(scores).astype(np.float64)
        counts = found[:, 1:].round().astype(np.int64)
        return MaskedPredictions(found[:, 0], counts[:, 0], counts[:, 1], rows)
    if task is Task.PREFER:
        return PreferencePredictions(np.stack(scores)[:, 0].astype(np.float64), rows)
    both = np.stack(scores).astype(np.float64)
    sizes = np.asarray([_bytes_learned(exam, int(e)) for e in exam.examples], np.int64)
    return TextPredictions([], [], rows, both[:, 0], both[:, 1].astype(np.int64), sizes)


def spans_of(
    exam: Exam, labels: LabelSet, scores: Sequence[NDArray[np.float32]]
) -> list[list[tuple[int, int, str]]]:
    """Character spans from tag probabilities, per example."""
    assert exam.encoded.offsets is not None
    found = []
    for example, score in zip(exam.examples, scores, strict=True):
        offsets = [(int(a), int(b)) for a, b in exam.encoded.offsets[int(example)]]
        found.append(spans_from_tags(score.argmax(1).tolist(), offsets, labels))
    return found


def _spans(spans: Sequence[Sequence[Any]]) -> list[tuple[int, int, str]]:
    return [(int(a), int(b), str(name)) for a, b, name in spans]


def _bytes_learned(exam: Exam, example: int) -> int:
    """UTF-8 bytes of the text the loss reads: what the answers hold, or the raw text."""
    row = exam.table.row(int(exam.encoded.rows[example]))
    if "messages" in row:
        texts = [m.get("content") or "" for m in row["messages"] if m["role"] == "assistant"]
        return max(1, sum(len(t.encode()) for t in texts))
    # A long document is cut into several examples; each owns its share by tokens.
    whole = len(str(row["text"]).encode())
    own = exam.encoded.rows[example]
    together = int(exam.encoded.ids.lengths[exam.encoded.rows == own].sum())
    return max(1, round(whole * int(exam.encoded.ids.lengths[example]) / together))
