"""Answers of a finished run to new rows, and its metrics on any labelled file."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from luthier.core.errors import CheckRun, FixData, nearest
from luthier.core.progress import Progress
from luthier.core.types import Task
from luthier.data.feed.batches import BatchPlan
from luthier.data.feed.encode import Encoded, encode
from luthier.data.feed.example import Example, encode_texts
from luthier.data.feed.labels import LabelSet, spans_from_tags
from luthier.data.feed.ragged import Ragged
from luthier.data.glance import glance
from luthier.data.mapping import canonical_rows, recognise
from luthier.data.source import open_source
from luthier.data.table import Table
from luthier.evaluate.interval import bootstrap
from luthier.evaluate.predictions import TextPredictions
from luthier.stages.parts.answers import Exam, score_all, to_predictions
from luthier.stages.parts.generation import write_answers
from luthier.stages.parts.keeping import Tuned, open_tuned
from luthier.stages.safety.filtering.answers import filtered
from luthier.stages.safety.filtering.guard import guard_of
from luthier.stages.workshop import pad_id
from luthier.stages.writing.shown import ShownTable
from luthier.store.store import RunRecord

BLOCK = 512


def answers(
    record: RunRecord, rows: Iterable[dict[str, Any]], progress: Progress
) -> Iterator[dict[str, Any]]:
    """One answer per row, in order: a label and score, labels, a value, spans or a response.

    With `safety.filters` what is asked and answered is screened as the recipe says.

    Raises: FixData for a row without its input, naming the row; CheckRun for an encoder that only
    learnt to fill in hidden words.
    """
    tuned = open_tuned(record.path, progress)
    if tuned.base.masked:
        raise CheckRun(
            f"run {record.id}",
            "an encoder that was adapted to raw text fills in hidden words and gives no answers",
            advice=f"measure it with `luthier eval {record.id} --data FILE`, or load "
            f"{record.path / 'model'} with peft and AutoModelForMaskedLM",
        )
    progress.start("predicting", None, "rows")
    section = tuned.recipe.safety.filters if tuned.recipe.safety else None
    if section is None or not section.answers:
        yield from _answers(tuned, rows, progress)
        return
    guard = guard_of(section, tuned.recipe.train.seed)
    if guard.missing:
        progress.start(guard.missing, None, "")
    yield from filtered(rows, lambda asked: _answers(tuned, asked, progress), guard)


def _answers(
    tuned: Tuned, rows: Iterable[dict[str, Any]], progress: Progress
) -> Iterator[dict[str, Any]]:
    numbered = enumerate(rows, start=1)
    while block := list(itertools.islice(numbered, BLOCK)):
        if tuned.task.generates:
            prompts = [_asked(row, number, tuned) for number, row in block]
            texts = write_answers(
                tuned.network, tuned.contract, prompts, tuned.recipe.evaluate.max_new_tokens,
                progress, [row.get("tools") for _, row in block],
            )  # fmt: skip
            yield from ({"response": text} for text in texts)
        else:
            texts = [_text(row, number, tuned) for number, row in block]
            yield from _labelled(tuned, texts)
            progress.advance(len(block))


def _labelled(tuned: Tuned, texts: list[str]) -> Iterator[dict[str, Any]]:
    examples = encode_texts(texts, tuned.contract)
    encoded = without_truth(examples, tuned.task)
    exam = Exam(encoded, np.arange(len(texts)), None, _plan(tuned))  # type: ignore[arg-type]
    labels = tuned.head.labels
    for example, score in zip(examples, score_all(tuned.network, tuned.head, exam), strict=True):
        yield _answer(tuned.task, labels, example, score)


def _answer(task: Task, labels: LabelSet, example: Example, score: Any) -> dict[str, Any]:
    if task is Task.CLASSIFY:
        best = int(score.argmax())
        return {"label": labels.names[best], "score": round(float(score[best]), 6)}
    if task is Task.MULTILABEL:
        chosen = [i for i, chance in enumerate(score) if chance >= 0.5]
        return {
            "labels": [labels.names[i] for i in chosen],
            "scores": [round(float(score[i]), 6) for i in chosen],
        }
    if task is Task.TAG:
        spans = spans_from_tags(score.argmax(1).tolist(), example.offsets, labels)
        return {"spans": [list(span) for span in spans]}
    return {"label": float(score[0]), "score": float(score[0])}


def without_truth(examples: list[Example], task: Task) -> Encoded:
    """Encoded texts whose answers nobody knows."""
    return Encoded(
        task=task,
        ids=Ragged.pack((e.ids[0] for e in examples), "int32"),
        rows=np.arange(len(examples)),
        weights=np.ones(len(examples), np.float32),
    )


def _plan(tuned: Tuned) -> BatchPlan:
    return BatchPlan(32, 0, pad_id(tuned.base))


def _text(row: dict[str, Any], number: int, tuned: Tuned) -> str:
    """The input of a row: the columns training used, else `text`."""
    if tuned.mapping.asks(row):
        return str(tuned.mapping.question(row, "the rows", number)["text"])
    columns = ("text",) if "text" in row else tuned.mapping.text or ("text",)
    missing = [c for c in columns if c not in row]
    if missing:
        near = nearest(missing[0], row)
        raise FixData(
            f"row {number}",
            f"there is no column {missing[0]!r}",
            f"columns here: {', '.join(row)}",
            f"did you mean {near!r}?" if near else "",
        )
    return "\n".join(str(row[c]) for c in columns)


def _asked(row: dict[str, Any], number: int, tuned: Tuned) -> list[dict[str, Any]]:
    """The conversation as the model reads it."""
    messages = _messages(row, number, tuned)
    return messages if tuned.shown is None else tuned.shown.before(messages, row.get("tools"))


def _messages(row: dict[str, Any], number: int, tuned: Tuned) -> list[dict[str, Any]]:
    if tuned.task is not Task.ADAPT and tuned.mapping.asks(row):
        return list(tuned.mapping.question(row, "the rows", number)["messages"])
    if isinstance(row.get("messages"), list):
        messages = list(row["messages"])
        while messages and messages[-1].get("role") == "assistant":
            messages.pop()
        if messages:
            return messages
    prompt = row.get("prompt", row.get("text"))
    if prompt is None or not str(prompt).strip():
        raise FixData(
            f"row {number}", "there is no prompt", "a `prompt`, `text` or `messages` field"
        )
    context = row.get("context")
    content = f"{context}\n\n{prompt}" if context else str(prompt)
    system = [{"role": "system", "content": str(row["system"])}] if row.get("system") else []
    return [*system, {"role": "user", "content": content}]


def measure_file(
    record: RunRecord, data: str, base_folder: Path, progress: Progress
) -> dict[str, Any]:
    """Metrics of a run on a labelled file, with intervals.

    Raises: FixData for a file that does not fit the task or has labels training never saw.
    """
    tuned = open_tuned(record.path, progress)
    source = open_source(data, base_folder)
    sample = glance(source)
    # Weights and groups are for training; a file to measure may lack them.
    mapping = replace(tuned.mapping, group=None, weight=None, identity=None)
    if not sample or not mapping.fits(sample[0]):
        mapping, _ = recognise(sample, tuned.task, tuned.recipe.data.columns.given())
    with tempfile.TemporaryDirectory() as temporary:
        rows = canonical_rows(source, mapping)
        table: Any = Table.write(rows, Path(temporary) / "rows.arrow", tuned.task)
        if tuned.shown is not None:
            table = ShownTable(table, tuned.shown)
        encoded = encode(table, tuned.contract, tuned.head.labels, source.place)
        exam = Exam(encoded, np.arange(len(encoded)), table, _plan(tuned))
        progress.start("evaluating", len(encoded), "rows")
        scores = score_all(tuned.network, tuned.head, exam, progress)
        predictions = to_predictions(tuned.task, tuned.head.labels, exam, scores)
        if tuned.task is Task.INSTRUCT:
            assert isinstance(predictions, TextPredictions)
            predictions = _written(tuned, table, predictions, progress)
        section = tuned.recipe.evaluate
        intervals = bootstrap(predictions, None, section.draws, section.seed)
    return {
        "run": record.id,
        "task": tuned.task.value,
        "rows": len(encoded),
        "metrics": {name: i.value for name, i in intervals.items()},
        "interval": {name: [i.low, i.high] for name, i in intervals.items()},
    }


def _written(
    tuned: Tuned, table: Table, known: TextPredictions, progress: Progress
) -> TextPredictions:
    messages = [table.row(int(r))["messages"] for r in known.rows]
    texts = write_answers(
        tuned.network, tuned.contract, [m[:-1] for m in messages],
        tuned.recipe.evaluate.max_new_tokens, progress,
    )  # fmt: skip
    truth = [[str(m[-1].get("content") or "")] for m in messages]
    return TextPredictions(truth, texts, known.rows, known.nats, known.tokens, known.bytes)
