"""What a bias audit is asked, and the rows it looks at."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from luthier.core.errors import CheckRun, FixData, FixRecipe, nearest
from luthier.core.progress import Progress
from luthier.core.types import Task, file_of
from luthier.data.feed.labels import LabelSet
from luthier.data.source import open_source
from luthier.explain.attribution import Ids
from luthier.recipe.data import Data
from luthier.stages.parts.keeping import Tuned
from luthier.stages.prepare import Prepared, files_of, prepare
from luthier.store.store import RunRecord

PURPOSE = "the bias audit"


@dataclass(frozen=True)
class Asked:
    """Groups from a column, else from words; which labels count as flagged, else each in turn."""

    column: str | None = None
    terms: Path | None = None
    pairs: Path | None = None
    questions: Path | None = None
    positive: tuple[str, ...] = ()
    carriers: int = 100
    draws: int = 1000
    seed: int = 0


@dataclass(frozen=True)
class Rows:
    """Labelled rows: texts (N), classes (N,), and the values of the column that was asked for."""

    texts: list[str]
    truth: Ids
    values: list[Any] = field(default_factory=list)


def choices(positive: Sequence[str], labels: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """The sets of classes that count as flagged, by name: the one declared, or each in turn.

    Raises: FixRecipe for an unknown label, or when every label is declared.
    """
    for name in positive:
        if name not in labels:
            close = nearest(name, labels)
            raise FixRecipe(
                f"--positive {name!r}", "there is no such label", ", ".join(labels),
                f"did you mean {close!r}?" if close else "",
            )  # fmt: skip
    if positive and len(set(positive)) == len(labels):
        raise FixRecipe("--positive", "it names every label", "some labels, not all")
    if positive:
        return {" or ".join(positive): tuple(labels.index(n) for n in dict.fromkeys(positive))}
    return {name: (place,) for place, name in enumerate(labels)}


def prepared_again(record: RunRecord, tuned: Tuned, folder: Path, progress: Progress) -> Prepared:
    """The data of a run, read again into `folder`.

    Raises: CheckRun for another task than classification, or when the data changed.
    """
    if tuned.task is not Task.CLASSIFY:
        raise CheckRun(
            f"run {record.id}", f"its task is {tuned.task.value}",
            "groups are measured on answers of one class per text (classify)",
        )  # fmt: skip
    prepared = prepare(tuned.recipe, Path(record.facts["base_folder"]), folder, progress)
    if record.facts.get("data_hash") != prepared.fingerprint:
        raise CheckRun(
            f"run {record.id}", "the data file changed since the run", "the data it was trained on"
        )
    return prepared


def test_rows(record: RunRecord, tuned: Tuned, column: str | None, progress: Progress) -> Rows:
    """The test rows of a run, with the values of a column of their file where one is asked for.

    Raises: CheckRun without test rows; FixData for an unknown column.
    """
    with tempfile.TemporaryDirectory() as temporary:
        prepared = prepared_again(record, tuned, Path(temporary), progress)
        places = prepared.sealed.open(PURPOSE)
        rows = rows_at(prepared, places, tuned.head.labels)
        if column is None:
            return rows
        numbers = [prepared.table.source_row(int(i)) for i in places]
        base_folder = Path(record.facts["base_folder"])
        return Rows(
            rows.texts, rows.truth, _column(tuned.recipe.data, base_folder, numbers, column)
        )


def rows_at(prepared: Prepared, places: Ids, labels: LabelSet) -> Rows:
    """Some rows of the data.

    Raises: CheckRun when there are none; FixData for an unknown label.
    """
    if not len(places):
        raise CheckRun(
            "bias", "no rows were held out", "test rows and validation rows",
            "give data.test or a share for data.split.test, and train again",
        )  # fmt: skip
    found = list(prepared.table.take(places))
    truth = [labels.number(str(row["label"]), "the rows") for row in found]
    return Rows([str(row["text"]) for row in found], np.asarray(truth, np.int64))


def _column(data: Data, base_folder: Path, numbers: Sequence[int], column: str) -> list[Any]:
    wanted = {(file_of(n), int(n)) for n in numbers}
    known: dict[tuple[str, int], Any] = {}
    files, _ = files_of(data, base_folder)
    for place in dict.fromkeys(p for p in vars(files).values() if p is not None):
        source = open_source(place, base_folder, data.format, None, data.encoding)
        for number, row in source.rows():
            key = (file_of(number), int(number))
            if key not in wanted:
                continue
            if column not in row:
                close = nearest(column, row)
                raise FixData(
                    f"{key[0]}, row {key[1]}", f"there is no column {column!r}",
                    f"columns: {', '.join(row)}", f"did you mean {close!r}?" if close else "",
                )  # fmt: skip
            known[key] = row[column]
    return [known[file_of(n), int(n)] for n in numbers]
