"""Training rows that are likely to carry a wrong label, as a list of work."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from luthier.core.errors import CheckRun
from luthier.core.files import write_text
from luthier.core.progress import Progress
from luthier.core.types import Task, file_of
from luthier.explain.rows.control import POOR
from luthier.explain.rows.suspicion import Suspicions, suspicions
from luthier.stages.explaining.asked import data_again
from luthier.stages.explaining.learned import PRIVATE, control_of, row_of
from luthier.stages.explaining.traces import SEED, Kept, traces_of
from luthier.stages.labelling.pool import DOUBTED
from luthier.stages.parts.keeping import Tuned, open_tuned
from luthier.stages.prepare import Prepared
from luthier.store.manifest import Manifest
from luthier.store.store import RunRecord

WORK_LIST = "explain/mislabelled.jsonl"


def mislabelled(
    record: RunRecord, count: int, out: Path | None, progress: Progress
) -> dict[str, Any]:
    """The `count` most suspicious training rows, JSON-ready, the most suspicious first; also as
    lines of `out`, by default in the run's folder. No label is changed.

    Raises: CheckRun for a run that is no finished classifier or whose data changed; FreeDisk.
    """
    record.refuse_unfinished()
    tuned = open_tuned(record.path, progress)
    if tuned.task is not Task.CLASSIFY:
        raise CheckRun(
            f"run {record.id}", f"its task is {tuned.task.value}", "rows of classify have one "
            "label that can be wrong",
        )  # fmt: skip
    with tempfile.TemporaryDirectory() as temporary:
        prepared = data_again(record, tuned, Path(temporary), progress)
        kept = traces_of(record, tuned, prepared, progress)
        names = tuned.head.labels.names
        rows = prepared.table.take(kept.rows)
        labels = np.asarray([names.index(str(row["label"])) for row in rows], np.int64)
        found = suspicions(kept.traces, labels, len(names), SEED)
        order = np.argsort(-found.together, kind="stable")[:count]
        told = [_told(prepared, kept, found, int(i), names) for i in order]
    path = out or record.path / WORK_LIST
    write_text(path, "".join(json.dumps(_line(one), ensure_ascii=False) + "\n" for one in told))
    Manifest.write(record.path)
    alone = control_of(kept).alone
    return {
        "run": record.id,
        "rows": told,
        "of": len(labels),
        "control": alone if np.isfinite(alone) else None,
        "notes": _notes(alone, tuned, path, record.id),
        "work_list": str(path),
    }


def _told(
    prepared: Prepared, kept: Kept, found: Suspicions, place: int, names: tuple[str, ...]
) -> dict[str, Any]:
    row = int(kept.rows[place])
    number = prepared.table.source_row(row)
    return row_of(prepared, row) | {
        "reads_like": names[int(found.answers[place].argmax())],
        "suspicion": float(found.together[place]),
        "signals": {name: float(values[place]) for name, values in found.signals.items()},
        "row": int(number),
        "file": file_of(number),
    }


def _line(one: dict[str, Any]) -> dict[str, Any]:
    wanted = ("text", "label", "reads_like", "suspicion", "row", "file")
    return {name: one[name] for name in wanted} | {DOUBTED: True}


def _notes(alone: float, tuned: Tuned, path: Path, run: str) -> list[str]:
    notes = []
    if not np.isfinite(alone) or alone < POOR:
        notes.append(
            f"The control failed: rows whose label was turned on purpose stand out with an AUC of "
            f"{alone:.2f} only (0.5 is chance, {POOR} is needed). Do not rely on this list."
        )
    if tuned.recipe.safety is not None and tuned.recipe.safety.privacy is not None:
        notes.append(PRIVATE)
    notes.append(f"Look at them with: luthier label {run} --pool {path}")
    return notes
