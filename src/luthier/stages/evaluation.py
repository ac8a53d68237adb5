"""The last evaluation: the sealed test rows, the untouched base and the tuned model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from luthier.core.progress import Progress
from luthier.core.types import Interval, Task
from luthier.data.feed.encode import Encoded, encode, nothing
from luthier.evaluate.baseline import LabelNames, MajorityClass
from luthier.evaluate.general import general_paragraphs
from luthier.evaluate.interval import Comparison, bootstrap, paired
from luthier.evaluate.measure import absent, metrics_of, primary
from luthier.evaluate.predictions import (
    Predictions,
    SpanPredictions,
    ValuePredictions,
)
from luthier.models.build import build_head
from luthier.models.network import Network
from luthier.stages.parts.answers import (
    Exam,
    features,
    rows_of,
    score_all,
    to_predictions,
    truth_of,
)
from luthier.stages.parts.generation import written
from luthier.stages.parts.harness import run_harness
from luthier.stages.parts.keeping import untouched
from luthier.stages.starting import name_vectors
from luthier.stages.training import Trained
from luthier.stages.workshop import Workshop
from luthier.stages.writing.trial import shown_exam

PURPOSE = "the last evaluation"


@dataclass(frozen=True)
class Evaluated:
    """Predictions and numbers of every model on the sealed test rows.

    `base` names the untouched model that the tuned one is compared with.
    """

    exam: Exam
    predictions: dict[str, Predictions]
    intervals: dict[str, dict[str, Interval]]
    comparison: dict[str, Comparison]
    base: str
    tuned: str = "tuned model"
    absent: dict[str, dict[str, str]] = field(default_factory=dict)
    forgetting: dict[str, float] = field(default_factory=dict)
    harness: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    against: dict[str, Comparison] = field(default_factory=dict)
    """The tuned model compared with the one that was trained beside it."""
    measured_on: str = "the sealed test"
    """Which rows were answered, in words."""

    def metrics(self) -> dict[str, Any]:
        """The JSON contract: base, tuned, interval of the tuned model, difference and baselines."""
        plain = {
            name: {metric: i.value for metric, i in found.items()}
            for name, found in self.intervals.items()
        }
        return {
            "base": plain[self.base] | {k: v for k, v in self.forgetting.items() if "base" in k},
            "tuned": plain[self.tuned],
            "interval": {m: [i.low, i.high] for m, i in self.intervals[self.tuned].items()},
            "difference": {
                m: {
                    "value": c.difference.value,
                    "interval": [c.difference.low, c.difference.high],
                    "p_value": c.p_value,
                    "test": c.test,
                }
                for m, c in self.comparison.items()
            },
            "baselines": {n: m for n, m in plain.items() if n not in (self.base, self.tuned)},
            "forgetting": self.forgetting,
            "harness": self.harness,
            "measured_on": self.measured_on,
        }


def evaluate(shop: Workshop, trained: Trained, progress: Progress) -> Evaluated:
    """Opens the sealed test rows once and measures every model on them."""
    indices = shop.prepared.sealed.open(PURPOSE)
    if not len(indices) and trained.held:
        return _held_out(shop, trained)
    encoded = encode(
        shop.prepared.table,
        shop.contract,
        shop.head.labels,
        shop.recipe.data.test or shop.recipe.data.train,
        [int(i) for i in indices],
    )
    exam = shop.exam(encoded, np.arange(len(encoded)))
    progress.start("the last evaluation", None, "rows")
    models = _untouched(shop, trained, exam, progress)
    base = next(iter(models))
    asked = exam if shop.shown is None else shown_exam(shop, shop.shown, indices)
    models["tuned model"] = answer(shop, shop.network, asked, progress)
    rival = trained.rival
    if rival is not None:
        with rival.in_place_of(shop.network):
            models[rival.name] = answer(shop, shop.network, exam, progress)
    evaluate_section = shop.recipe.evaluate
    draws, seed = evaluate_section.draws, evaluate_section.seed
    return Evaluated(
        exam=exam,
        predictions=models,
        intervals={n: bootstrap(p, None, draws, seed) for n, p in models.items()},
        comparison=paired(models[base], models["tuned model"], None, draws, seed),
        base=base,
        absent={n: absent(p) for n, p in models.items()},
        forgetting=_forgetting(shop, progress),
        harness=run_harness(shop.network, shop.base, evaluate_section.harness),
        notes=_notes(shop, exam, encoded),
        against=paired(models[rival.name], models["tuned model"], None, draws, seed)
        if rival
        else {},
    )


def _held_out(shop: Workshop, trained: Trained) -> Evaluated:
    """Without test rows: what labelled rows said that were held out in turn."""
    models, section = trained.held, shop.recipe.evaluate
    base, tuned = next(iter(models)), models["tuned model"]
    rows = len(tuned.rows)
    note = (
        f"There are no test rows: these numbers are from {rows} labelled rows, each answered by a "
        "classifier that had not seen it; the one that is kept learnt from all of them."
        if rows
        else "There are no labelled rows, so nothing was measured; give some as data.test."
    )
    return Evaluated(
        exam=shop.exam(nothing(shop.task), np.zeros(0, np.int64)),
        predictions=models,
        intervals={n: bootstrap(p, None, section.draws, section.seed) for n, p in models.items()},
        comparison=paired(models[base], tuned, None, section.draws, section.seed) if rows else {},
        base=base,
        absent={n: absent(p) for n, p in models.items()} if rows else {},
        notes=(note,),
        measured_on="labelled rows held out in turn" if rows else "nothing",
    )


def answer(shop: Workshop, network: Network, exam: Exam, progress: Progress) -> Predictions:
    """What a network says about an exam; for instructions, written out."""
    scores = score_all(network, shop.head, exam, progress)
    if shop.task is Task.INSTRUCT:
        rows = shop.recipe.evaluate.generate_rows
        return written(shop, network, exam, scores, rows, progress)
    return to_predictions(shop.task, shop.head.labels, exam, scores)


def _untouched(
    shop: Workshop, trained: Trained, exam: Exam, progress: Progress
) -> dict[str, Predictions]:
    """The base without training, the one to compare with first."""
    with untouched(shop.network, shop.base) as network:
        if shop.task.generates:
            return {"untouched model": answer(shop, network, exam, progress)}
        if shop.task is Task.CLASSIFY:
            return _classifiers(shop, trained, exam, network)
    rows = rows_of(exam)
    if shop.task is Task.REGRESS:
        assert isinstance(exam.encoded.targets, np.ndarray)
        truth = np.asarray(exam.encoded.targets[exam.examples], np.float64)
        mean = np.full(len(rows), shop.prepared.facts.mean)
        return {"mean of the training rows": ValuePredictions(truth, mean, rows)}
    if shop.task is Task.TAG:
        none: list[list[tuple[int, int, str]]] = [[] for _ in rows]
        truth_spans = [
            [(int(a), int(b), str(n)) for a, b, n in exam.table.row(int(r))["spans"]] for r in rows
        ]
        return {"no spans at all": SpanPredictions(truth_spans, none, rows)}
    return {"most frequent labels": _frequent(shop, exam, rows)}


def _classifiers(
    shop: Workshop, trained: Trained, exam: Exam, network: Network
) -> dict[str, Predictions]:
    labels, truth, rows = shop.head.labels.names, truth_of(exam), rows_of(exam)
    vectors = features(network, exam)
    named = name_vectors(shop, network, exam)
    models: dict[str, Predictions] = {
        "untouched model, label names": LabelNames(labels, named).predict(vectors, truth, rows)
    }
    if trained.probe is not None:
        models["untouched model, linear probe"] = trained.probe.predict(vectors, truth, rows)
    learnt = shop.part(shop.prepared.splits.train)
    if not len(learnt):
        return models
    known = truth_of(shop.exam(shop.encoded, learnt))
    models["majority class"] = MajorityClass.fit(labels, known).predict(truth, rows)
    return models


def _frequent(shop: Workshop, exam: Exam, rows: NDArray[np.int64]) -> Predictions:
    from luthier.evaluate.predictions import MultilabelPredictions

    train = shop.encoded.targets
    assert isinstance(train, np.ndarray) and isinstance(exam.encoded.targets, np.ndarray)
    share = np.asarray(train[shop.part(shop.prepared.splits.train)].mean(0), np.float64)
    chances = np.tile(share, (len(rows), 1))
    truth = np.asarray(exam.encoded.targets[exam.examples], np.float32) > 0.5
    return MultilabelPredictions(shop.head.labels.names, truth, chances, rows)


def _forgetting(shop: Workshop, progress: Progress) -> dict[str, float]:
    """How well a fixed general text is predicted, before and after."""
    if not (shop.task.generates and shop.recipe.evaluate.forgetting):
        return {}
    progress.start("a general text, to see what was forgotten", None, "")
    exam = _general(shop)
    name = primary(Task.ADAPT, shop.base.masked)
    with untouched(shop.network, shop.base) as network:
        before = _general_metrics(shop, network, exam)[name]
    after = _general_metrics(shop, shop.network, exam)[name]
    return {f"general {name} base": before, f"general {name} tuned": after}


class _Paragraphs:
    """The general text as rows to be encoded."""

    task = Task.ADAPT

    def __init__(self) -> None:
        self._texts = general_paragraphs()

    def __len__(self) -> int:
        return len(self._texts)

    def row(self, index: int) -> dict[str, Any]:
        """One paragraph."""
        return {"text": self._texts[index]}

    def take(self, indices: Sequence[int]) -> Iterator[dict[str, Any]]:
        """Several, in order."""
        return (self.row(index) for index in indices)

    def source_row(self, index: int) -> int:
        """Its number."""
        return index + 1


def _general(shop: Workshop) -> Exam:
    paragraphs: Any = _Paragraphs()
    encoded = encode(paragraphs, shop.contract, shop.head.labels, "the general text")
    return Exam(encoded, np.arange(len(encoded)), paragraphs, shop.batch_plan())


def _general_metrics(shop: Workshop, network: Network, exam: Exam) -> dict[str, float]:
    chunked = shop.legal["chunked_loss"].on
    head = build_head(Task.ADAPT, shop.prepared.facts, shop.recipe.train, chunked)
    scores = score_all(network, head, exam)
    return metrics_of(to_predictions(Task.ADAPT, head.labels, exam, scores))


def _notes(shop: Workshop, exam: Exam, encoded: Encoded) -> tuple[str, ...]:
    notes = []
    if encoded.count.dropped_rows:
        notes.append(f"{encoded.count.dropped_rows} test rows could not be encoded")
    if shop.task is Task.INSTRUCT and len(exam.examples) > shop.recipe.evaluate.generate_rows:
        notes.append(
            f"answers were written for {shop.recipe.evaluate.generate_rows} of "
            f"{len(exam.examples)} test rows (evaluate.generate_rows)"
        )
    return tuple(notes)
