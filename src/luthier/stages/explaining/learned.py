"""The training rows that an answer was learned from, and those that speak against it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from luthier.core.progress import Progress
from luthier.core.types import Task, file_of
from luthier.data.mappings.text import input_text
from luthier.explain.attribution import Floats
from luthier.explain.influence import Influence
from luthier.explain.influences.build import CONTROL, influence_of, influences
from luthier.explain.rows.control import Control, measure_control
from luthier.stages.explaining.traces import Kept, Listed, traces_of, traces_of_rows
from luthier.stages.parts.keeping import Tuned
from luthier.stages.prepare import Prepared
from luthier.store.store import RunRecord

PRIVATE = (
    "This run was trained under differential privacy. Showing its training rows, and scores made "
    "from them, is not covered by that guarantee."
)


@dataclass(frozen=True)
class Learned:
    """For each answer its rows, JSON-ready; scores (Q, N) and table rows (N,) behind them."""

    told: list[dict[str, Any]]
    scores: Floats
    rows: NDArray[np.int64]
    control: Control
    notes: list[str]


def learned_from(
    record: RunRecord,
    tuned: Tuned,
    prepared: Prepared,
    answered: Sequence[dict[str, Any]],
    count: int,
    by: str,
    progress: Progress,
) -> Learned:
    """The `count` rows for and against each of the canonical rows `answered`, whose labels or
    last messages are the model's own answers.

    Raises: as `traces_of`.
    """
    method = influence_of(by)
    kept = traces_of(record, tuned, prepared, progress)
    control = control_of(kept)
    asked, there, _ = traces_of_rows(
        tuned, Listed(tuned.task, answered), range(len(answered)), progress, "the answers"
    )
    found = method.scores(kept.traces, asked)
    beside = CONTROL.scores(kept.traces, asked)
    place = {int(row): i for i, row in enumerate(there)}
    every = _Rows(prepared, kept)
    told = [
        _told(every, found[place[i]], beside[place[i]], count)
        if i in place and asked.gradients[place[i]].any()
        else {"for": [], "against": [], "note": _SILENT}
        for i in range(len(answered))
    ]
    return Learned(told, found, kept.rows, control, _notes(kept, control, method, tuned))


def control_of(kept: Kept) -> Control:
    """What every method makes of the turned copies."""
    methods = list(influences().values())
    return measure_control(kept.traces, kept.turned, kept.origin, methods)


_SILENT = (
    "The model is so sure of this answer that its gradient is zero in number, so no row can be "
    "named."
)


@dataclass(frozen=True)
class _Rows:
    prepared: Prepared
    kept: Kept

    def told(self, place: int, score: float, similarity: float) -> dict[str, Any]:
        table, row = self.prepared.table, int(self.kept.rows[place])
        number = table.source_row(row)
        return row_of(self.prepared, row) | {
            "row": int(number),
            "file": file_of(number),
            "score": score,
            "similarity": similarity,
            "loss": float(self.kept.traces.losses[place]),
        }


def row_of(prepared: Prepared, row: int) -> dict[str, Any]:
    """What a row asked and its answer."""
    content = prepared.table.row(row)
    found = {"text": input_text(prepared.task, content)}
    if prepared.task is Task.INSTRUCT:
        return found | {"label": str(content["messages"][-1].get("content") or "")}
    if prepared.task is Task.MULTILABEL:
        return found | {"label": ", ".join(map(str, content["labels"]))}
    return found | {"label": str(content["label"])}


def _told(rows: _Rows, scores: Floats, similarity: Floats, count: int) -> dict[str, Any]:
    order = np.argsort(-scores, kind="stable")
    mine = [int(i) for i in order[:count] if scores[i] > 0]
    theirs = [int(i) for i in order[::-1][:count] if scores[i] < 0]
    near = [int(i) for i in np.argsort(-similarity, kind="stable")[:count]]
    return {
        "for": [rows.told(i, float(scores[i]), float(similarity[i])) for i in mine],
        "against": [rows.told(i, float(scores[i]), float(similarity[i])) for i in theirs],
        "near": [rows.told(i, float(scores[i]), float(similarity[i])) for i in near],
        "shared": len(set(mine) & set(near)),
    }


def _notes(kept: Kept, control: Control, method: Influence, tuned: Tuned) -> list[str]:
    notes = []
    warning = control.warning(method.name)
    if warning:
        notes.append(warning)
    if method.name == CONTROL.name:
        notes.append("Similar texts are shown, which says nothing about what was learned.")
    if kept.left_out:
        notes.append(
            f"Parameters too large for a gradient of each row were left out: "
            f"{', '.join(kept.left_out)}."
        )
    if tuned.recipe.safety is not None and tuned.recipe.safety.privacy is not None:
        notes.append(PRIVATE)
    return notes
