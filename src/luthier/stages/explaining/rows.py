"""Training rows added to explanations: what was learned from, and what removal proved."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from luthier.core.errors import CheckRun, FixData
from luthier.core.progress import Progress
from luthier.core.types import Task
from luthier.explain.attribution import Question
from luthier.explain.influences.build import influence_of
from luthier.explain.subject import Subject
from luthier.stages.explaining.asked import Asked, data_again
from luthier.stages.explaining.learned import Learned, learned_from
from luthier.stages.explaining.traces import refuse_task
from luthier.stages.explaining.verifying import verify
from luthier.stages.parts.keeping import Tuned
from luthier.store.artefacts import Artefacts
from luthier.store.store import RunRecord


def refuse_rows(record: RunRecord, tuned: Tuned, asked: Asked, answers: int) -> None:
    """Raises: FixRecipe for an unknown way to score rows, CheckRun for a task whose rows cannot be
    told or --verify of a private run, FixData for --verify of several answers."""
    influence_of(asked.by)
    if asked.learned_from:
        refuse_task(record.id, tuned.task)
    if asked.verify and tuned.recipe.safety is not None and tuned.recipe.safety.privacy is not None:
        raise CheckRun(
            "--verify", f"run {record.id} was trained under differential privacy", "other runs, as "
            "training again would spend privacy that nothing counts",
        )  # fmt: skip
    if asked.verify and answers != 1:
        raise FixData(
            "--verify", f"{answers} answers are explained", "one, as the model is trained again "
            "many times for each", "give one --text",
        )  # fmt: skip


def add_rows(
    told: dict[str, Any],
    subject: Subject,
    questions: Sequence[Question],
    asked: Asked,
    run: tuple[RunRecord, Tuned, Artefacts],
    progress: Progress,
) -> None:
    """Adds to each explanation the rows it was learned from, and to `told` what is to be said.

    Raises: CheckRun for a run whose rows or gradients cannot be told apart or whose data changed.
    """
    record, tuned, artefacts = run
    with tempfile.TemporaryDirectory() as temporary:
        prepared = data_again(record, tuned, Path(temporary), progress)
        answered = _answered(told["explanations"], subject, questions, tuned)
        found = learned_from(
            record, tuned, prepared, answered, asked.learned_from, asked.by, progress
        )
        for one, rows in zip(told["explanations"], found.told, strict=True):
            one["learned_from"] = rows
        told["notes"] += found.notes
        told["rows"] = {"by": asked.by, "of": len(found.rows), "control": asdict(found.control)}
        if asked.verify:
            removed = _first(found, asked.learned_from)
            (one,) = told["explanations"]
            one["learned_from"]["verified"] = verify(
                (tuned, prepared, artefacts), questions[0], removed, progress
            )


def _first(found: Learned, count: int) -> list[int]:
    """Table rows that the first answer was learned from."""
    order = np.argsort(-found.scores[0], kind="stable")[:count]
    return [int(found.rows[i]) for i in order if found.scores[0][i] > 0]


def _answered(
    told: Sequence[dict[str, Any]], subject: Subject, questions: Sequence[Question], tuned: Tuned
) -> list[dict[str, Any]]:
    """The model's answers as rows of its data."""
    names = tuned.head.labels.names
    if subject.writes:
        return [
            {
                "messages": [
                    {"role": "user", "content": one["asked"]},
                    {"role": "assistant", "content": one["answer"]},
                ]
            }
            for one in told
        ]
    if tuned.task is Task.MULTILABEL:
        logits = subject.logits([q.passage.ids for q in questions])
        return [
            {
                "text": q.passage.text,
                "labels": [n for n, s in zip(names, row, strict=True) if s > 0],
            }
            for q, row in zip(questions, logits, strict=True)
        ]
    return [{"text": q.passage.text, "label": names[q.target]} for q in questions]
