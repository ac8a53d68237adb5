"""What is to be explained, and the texts it is about."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from luthier.core.errors import CheckRun, FixData
from luthier.core.progress import Progress
from luthier.core.seeds import derive
from luthier.core.types import Task, file_of
from luthier.data.source import open_source
from luthier.explain.telling.claims import Level
from luthier.stages.fewshot.choice import as_learnt
from luthier.stages.parts.keeping import Tuned
from luthier.stages.prepare import Prepared, prepare
from luthier.store.store import RunRecord

PURPOSE = "explanations"
GATE_TEXTS = 24
GATE_WORDS = 60
"""Longer texts are not used to measure methods: what the bounds cost grows with their square."""


@dataclass(frozen=True)
class Asked:
    """Texts, a file, or the test rows that were answered wrongly; and how they are explained.

    `label` is the class that is explained instead of the answer, `against` the one it is set
    against instead of all others. `learned_from` training rows are told for and against each
    answer, `by` a way to score them.
    """

    texts: tuple[str, ...] = ()
    data: str | None = None
    errors: bool = False
    rows: int = 20
    method: str = "auto"
    label: str | None = None
    against: str | None = None
    level: Level = "analyst"
    attention: bool = False
    learned_from: int = 0
    by: str = "cosine"
    verify: bool = False
    seed: int = 0


def rows_asked(
    asked: Asked, record: RunRecord, tuned: Tuned, base_folder: Path, progress: Progress
) -> tuple[list[dict[str, Any]], list[str]]:
    """The rows to explain, and what has to be said about those left out.

    Raises: FixData for a file without rows, a row without its input, or nothing to explain.
    """
    if asked.data is not None:
        rows = [
            _told(row, place, tuned) | {"file": file_of(number) or asked.data, "row": int(number)}
            for place, (number, row) in enumerate(open_source(asked.data, base_folder).rows(), 1)
        ]
    elif asked.errors:
        rows = _labelled(record, tuned, progress)
    else:
        rows = [{"text": text} for text in asked.texts]
    if not rows:
        raise FixData(asked.data or f"run {record.id}", "there is nothing to explain")
    notes = []
    if not asked.errors and len(rows) > asked.rows:
        notes.append(
            f"The first {asked.rows} of {len(rows)} rows are explained; --rows takes more."
        )
        rows = rows[: asked.rows]
    return rows, notes


def row_text(row: Mapping[str, Any], number: int, tuned: Tuned) -> str:
    """The input of a row of a file.

    Raises: FixData without the column that is read.
    """
    columns = ("text",) if "text" in row else tuned.mapping.text or ("text",)
    missing = [c for c in columns if c not in row]
    if missing:
        raise FixData(
            f"row {number}", f"there is no column {missing[0]!r}", f"columns: {', '.join(row)}"
        )
    return "\n".join(str(row[c]) for c in columns)


def _told(row: Mapping[str, Any], number: int, tuned: Tuned) -> dict[str, Any]:
    """The input of a row of a file, and its label where it has one."""
    told: dict[str, Any] = {"text": row_text(row, number, tuned)}
    label = row.get(tuned.mapping.label or "label")
    if tuned.task is Task.CLASSIFY and label not in (None, ""):
        told["label"] = str(label)
    return told


def _labelled(record: RunRecord, tuned: Tuned, progress: Progress) -> list[dict[str, Any]]:
    if tuned.task is not Task.CLASSIFY:
        raise CheckRun(f"run {record.id}", f"its task is {tuned.task.value}", "--errors classifies")
    with tempfile.TemporaryDirectory() as temporary:
        prepared = data_again(record, tuned, Path(temporary), progress)
        numbers = prepared.sealed.open(PURPOSE)
        places = [prepared.table.source_row(int(i)) for i in numbers]
        return [
            {"text": str(row["text"]), "label": str(row["label"]),
             "file": file_of(place), "row": int(place)}
            for row, place in zip(
                prepared.table.take([int(i) for i in numbers]), places, strict=True
            )
        ]  # fmt: skip


def gate_rows(record: RunRecord, tuned: Tuned, seed: int, progress: Progress) -> list[Any]:
    """Validation rows on which methods are measured: texts, or messages with their answer.

    Raises: CheckRun when the data changed since the run.
    """
    with tempfile.TemporaryDirectory() as temporary:
        prepared = data_again(record, tuned, Path(temporary), progress)
        numbers = prepared.splits.validation
        dice = np.random.default_rng(derive(seed, "gate rows"))
        chosen = numbers[np.sort(dice.permutation(len(numbers))[: 8 * GATE_TEXTS])]
        rows = [dict(row) for row in prepared.table.take([int(i) for i in chosen])]
    if tuned.task.generates:
        return [row["messages"] for row in rows]
    return [str(row["text"]) for row in rows]


def data_again(record: RunRecord, tuned: Tuned, folder: Path, progress: Progress) -> Prepared:
    """The run's data, read into `folder` as they were read for the run.

    Raises: CheckRun when the data changed since the run.
    """
    prepared = prepare(tuned.recipe, Path(record.facts["base_folder"]), folder, progress)
    if record.facts.get("data_hash") != prepared.fingerprint:
        raise CheckRun(
            f"run {record.id}", "the data file changed since the run", "the data it was trained on"
        )
    return as_learnt(prepared, record.path)
