"""What the training rows of a run left in its model: made once, kept with the run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from luthier.core.errors import CheckRun
from luthier.core.files import write_bytes
from luthier.core.progress import Progress
from luthier.core.seeds import derive
from luthier.core.types import Task
from luthier.data.feed.batches import BatchPlan, collate, sequential
from luthier.data.feed.encode import Encoded, Rows, encode
from luthier.explain.influence import Traces
from luthier.explain.rows.capture import capture
from luthier.explain.rows.sketch import WIDTH, Sketch
from luthier.stages.parts.answers import Exam, features
from luthier.stages.parts.keeping import Tuned, untouched
from luthier.stages.prepare import Prepared
from luthier.stages.workshop import pad_id
from luthier.store.store import RunRecord

FILE = "explain/rows.safetensors"
VERSION = "1"
SEED = 0
ROWS_PER_PASS = 16
MOST_TURNED, FEWEST_TURNED, SHARE_TURNED = 64, 8, 0.05
TASKS = (Task.CLASSIFY, Task.MULTILABEL, Task.INSTRUCT)


@dataclass(frozen=True)
class Kept:
    """Traces of the training rows with their places `rows` (N,) in the table; and of `turned`
    copies with a wrong answer, of the rows at `origin` among them."""

    traces: Traces
    rows: NDArray[np.int64]
    turned: Traces
    origin: NDArray[np.int64]
    left_out: tuple[str, ...]


@dataclass
class Listed:
    """Canonical rows in memory, with the face of a table."""

    task: Task
    listed: Sequence[dict[str, Any]]

    def __len__(self) -> int:
        return len(self.listed)

    def row(self, index: int) -> dict[str, Any]:
        """One row."""
        return self.listed[index]

    def take(self, indices: Sequence[int]) -> Iterator[dict[str, Any]]:
        """Several, in order."""
        return (self.row(int(index)) for index in indices)

    def source_row(self, index: int) -> int:
        """Its number."""
        return index + 1


def refuse_task(run: str, task: Task) -> None:
    """Raises: CheckRun for a task whose rows cannot be told from what they left."""
    if task not in TASKS:
        raise CheckRun(
            f"run {run}", f"its task is {task.value}",
            f"training rows are told for {', '.join(t.value for t in TASKS)}",
        )  # fmt: skip


def traces_of(record: RunRecord, tuned: Tuned, prepared: Prepared, progress: Progress) -> Kept:
    """The traces of a run's training rows, from its folder where they fit its data.

    Raises: CheckRun for a task or model without gradients of single rows; FreeDisk.
    """
    refuse_task(record.id, tuned.task)
    path = record.path / FILE
    known = _load(path, prepared.fingerprint) if path.is_file() else None
    if known is None:
        known = trace(tuned, prepared, progress)
        _save(path, known, prepared.fingerprint)
    return known


def traces_of_rows(
    tuned: Tuned, rows: Rows, indices: Sequence[int], progress: Progress, place: str
) -> tuple[Traces, NDArray[np.int64], tuple[str, ...]]:
    """Traces of canonical rows in the order of the table, the places of those that could be
    encoded, and names of parameters that were left out.

    Raises: FixData when none could be encoded.
    """
    encoded = encode(rows, tuned.contract, tuned.head.labels, place, indices)
    every = np.arange(len(encoded))
    plan = BatchPlan(ROWS_PER_PASS, SEED, pad_id(tuned.base), bucket=True)
    progress.start("gradients of rows", len(every), "rows")
    parts = sequential(encoded, every, plan, ROWS_PER_PASS)
    batches = (collate(encoded, part, plan) for part in parts)
    found = capture(tuned.network, tuned.head.losses, batches, Sketch(SEED), progress)
    order = np.argsort(found.rows, kind="stable")
    vectors = _vectors(tuned, encoded, rows, plan)
    traces = Traces(found.gradients[order], found.losses[order], vectors)
    return traces, found.rows[order], found.left_out


def _vectors(tuned: Tuned, encoded: Encoded, rows: Any, plan: BatchPlan) -> NDArray[np.float32]:
    """What the untouched base makes of each row (N, D), in half precision as it is kept."""
    order = np.argsort(encoded.rows, kind="stable")
    with untouched(tuned.network, tuned.base) as plain:
        found = features(plain, Exam(encoded, order, rows, plan))
    return found.astype(np.float16).astype(np.float32)


def trace(tuned: Tuned, prepared: Prepared, progress: Progress) -> Kept:
    """The traces of all training rows and of turned copies of some, made now."""
    table, train = prepared.table, [int(i) for i in prepared.splits.train]
    place = tuned.recipe.data.train
    traces, rows, left_out = traces_of_rows(tuned, table, train, progress, place)
    dice = np.random.default_rng(derive(SEED, "turned rows"))
    count = min(len(rows), MOST_TURNED, max(FEWEST_TURNED, int(SHARE_TURNED * len(rows))))
    origin = np.sort(dice.choice(len(rows), count, replace=False))
    listed = [dict(row) for row in table.take(rows[origin])]
    turned = _turned(listed, tuned, dice)
    if not turned:
        return Kept(traces, rows, traces.take(np.zeros(0, np.int64)), origin[:0], left_out)
    copies, there, _ = traces_of_rows(
        tuned, Listed(tuned.task, turned), range(len(turned)), progress, "the control"
    )
    return Kept(traces, rows, copies, origin[there], left_out)


def _turned(
    rows: Sequence[dict[str, Any]], tuned: Tuned, dice: np.random.Generator
) -> list[dict[str, Any]]:
    """The rows with another answer each; none where there is no other answer."""
    names = tuned.head.labels.names
    if tuned.task is Task.INSTRUCT:
        answers = [row["messages"][-1] for row in rows]
        moved = answers[1:] + answers[:1]
        return [
            row | {"messages": [*row["messages"][:-1], other]}
            for row, other in zip(rows, moved, strict=True)
            if other.get("content") != row["messages"][-1].get("content")
        ] if len(rows) > 1 else []  # fmt: skip
    if len(names) < 2:
        return []
    if tuned.task is Task.MULTILABEL:
        switched = [str(dice.choice(names)) for _ in rows]
        return [
            row | {"labels": sorted({*row["labels"]} ^ {name})}
            for row, name in zip(rows, switched, strict=True)
        ]
    return [
        row | {"label": str(dice.choice([n for n in names if n != str(row["label"])]))}
        for row in rows
    ]


def _save(path: Path, kept: Kept, fingerprint: str) -> None:
    from safetensors.numpy import save

    tensors: dict[str, NDArray[Any]] = {"rows": kept.rows, "origin": kept.origin}
    for name, part in (("", kept.traces), ("turned.", kept.turned)):
        tensors[f"{name}gradients"] = part.gradients
        tensors[f"{name}losses"] = part.losses
        tensors[f"{name}vectors"] = part.vectors.astype(np.float16)
    about = {
        "version": VERSION,
        "data": fingerprint,
        "width": str(WIDTH),
        "left_out": "\n".join(kept.left_out),
    }
    whole = {name: np.ascontiguousarray(t) for name, t in tensors.items()}
    write_bytes(path, save(whole, about))


def _load(path: Path, fingerprint: str) -> Kept | None:
    """What was kept; None where it was made by another version.

    Raises: CheckRun for a damaged file, or one that was made of other data.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), "numpy") as file:  # type: ignore[no-untyped-call]
            about = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise CheckRun(
            str(path), "this file is damaged", "the file as it was written",
            "remove it; it is made again from the run's data",
        ) from error  # fmt: skip
    if about.get("version") != VERSION or about.get("width") != str(WIDTH):
        return None
    if about.get("data") != fingerprint:
        raise CheckRun(
            str(path), "it was made of other data than the run's", advice="remove it; it is made "
            "again from the run's data",
        )  # fmt: skip

    def part(name: str) -> Traces:
        return Traces(
            tensors[f"{name}gradients"], tensors[f"{name}losses"],
            tensors[f"{name}vectors"].astype(np.float32),
        )  # fmt: skip

    left_out = tuple(filter(None, about["left_out"].split("\n")))
    return Kept(part(""), tensors["rows"], part("turned."), tensors["origin"], left_out)
