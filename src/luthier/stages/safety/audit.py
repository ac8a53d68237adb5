"""`luthier audit`: what a finished run gives away about its training rows, proved and shown."""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from luthier.core.errors import CheckRun
from luthier.core.files import write_json
from luthier.core.progress import Progress
from luthier.core.seeds import derive
from luthier.core.types import Interval, Task
from luthier.data.table import Table
from luthier.privacy.audits.membership import Exposed, exposed, membership
from luthier.privacy.audits.onerun import from_pairs
from luthier.safety.outcome import proportion
from luthier.stages.parts.keeping import Tuned, open_tuned
from luthier.stages.prepare import Prepared, prepare
from luthier.stages.safety.evidence import refresh_evidence
from luthier.stages.safety.extracting import exposures, extraction
from luthier.stages.safety.gains import Gains, exam_of, gains
from luthier.stages.safety.proof import Proof, proof_of
from luthier.stages.safety.verdict import sentences
from luthier.store.manifest import Manifest
from luthier.store.store import RunRecord, Store

PURPOSE = "the privacy audit"
FILE = "audit.json"
EXPOSED = 10


@dataclass(frozen=True)
class Asked:
    """How much to look at: at most so many rows that were trained on, and as many others."""

    rows: int = 5_000
    seed: int = 0


def audit(record: RunRecord, store: Store, asked: Asked, progress: Progress) -> dict[str, Any]:
    """What is proved and what attacks achieve, JSON-ready; also kept in the run's folder.

    Texts are never told, only row numbers.

    Raises: CheckRun when the run is not finished, its data changed, or nothing was held out.
    """
    record.refuse_unfinished()
    tuned = open_tuned(record.path, progress)
    with tempfile.TemporaryDirectory() as temporary:
        prepared = prepare(
            tuned.recipe, Path(record.facts["base_folder"]), Path(temporary), progress
        )
        _same_data(record, prepared)
        found = _attack(tuned, prepared, asked, progress)
    proof = proof_of(record, store)
    delta = proof.delta if proof else min(1e-5, 0.1 / max(10, len(prepared.splits.train)))
    told = _told(record, tuned, found, proof, delta, asked)
    _keep(record, told)
    return told


@dataclass(frozen=True)
class _Found:
    mine: Gains
    theirs: Gains
    secrets: list[Any]
    passages: Any
    table_numbers: NDArray[np.int64]


def _same_data(record: RunRecord, prepared: Prepared) -> None:
    if record.facts.get("data_hash") != prepared.fingerprint:
        raise CheckRun(
            f"run {record.id}", "the data file changed since the run",
            advice="restore it: only with the rows of that time is it known who was in it",
        )  # fmt: skip


def _attack(tuned: Tuned, prepared: Prepared, asked: Asked, progress: Progress) -> _Found:
    splits, table = prepared.splits, prepared.table
    held_out = np.concatenate([splits.validation, prepared.sealed.open(PURPOSE)])
    if len(held_out) < 20:
        raise CheckRun(
            "luthier audit", f"{len(held_out)} rows were not trained on", "20 or more",
            "without them nobody can tell remembering from understanding",
        )  # fmt: skip
    inside = _some(splits.train, asked, "members")
    members = exam_of(tuned, table, inside)
    others = exam_of(tuned, table, _some(held_out, asked, "others"))
    mine, theirs = gains(tuned, members, others, asked.seed, progress)
    secrets: list[Any] = []
    passages = None
    if tuned.task.generates and not tuned.base.masked:
        secrets = exposures(tuned, table, inside, asked.seed, progress)
        passages = extraction(tuned, members, others, progress)
    return _Found(mine, theirs, secrets, passages, _numbers(table, mine.rows))


def _some(rows: NDArray[np.int64], asked: Asked, name: str) -> list[int]:
    if len(rows) > asked.rows:
        random = np.random.default_rng(derive(asked.seed, "audit", name))
        rows = np.sort(random.choice(rows, asked.rows, replace=False))
    return [int(row) for row in rows]


def _numbers(table: Table, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.array([int(table.source_row(int(row))) for row in rows], np.int64)


def _told(
    record: RunRecord,
    tuned: Tuned,
    found: _Found,
    proof: Proof | None,
    delta: float,
    asked: Asked,
) -> dict[str, Any]:
    mine, theirs = found.mine.scores, found.theirs.scores
    attack = membership(mine, theirs, derive(asked.seed, "membership"))
    shown = from_pairs(mine, theirs, delta, derive(asked.seed, "pairs"))
    told: dict[str, Any] = {
        "run": record.id,
        "task": tuned.task.value,
        "proved": asdict(proof) if proof else None,
        "membership": {
            "members": attack.members,
            "others": attack.others,
            "reference": found.mine.reference,
            "area": _interval(attack.area),
            "found_at": {f"{r:g}": _interval(i) for r, i in attack.found.items()},
        },
        "demonstrated": asdict(shown) | {"delta": delta},
        "exposed": [
            _record(e, len(theirs)) for e in exposed(mine, found.table_numbers, theirs, EXPOSED)
        ],
        "secrets": [asdict(e) | {"at_most": e.at_most} for e in found.secrets],
        "extraction": None,
    }
    if found.passages is not None:
        told["extraction"] = {
            key: _interval(v) if isinstance(v, Interval) else v
            for key, v in vars(found.passages).items()
        }
    told["words"] = sentences(told)
    return told


def _record(found: Exposed, others: int) -> dict[str, Any]:
    higher = proportion(round(found.as_high * others), others)
    return {
        "row": found.row,
        "score": round(found.score, 6),
        "share_as_high": round(found.as_high, 6),
        "low": round(higher.low, 6),
        "high": round(higher.high, 6),
    }


def _interval(value: Interval | None) -> dict[str, float] | str:
    if value is None:
        return "not measurable"
    return {"value": value.value, "low": value.low, "high": value.high, "level": value.level}


def _keep(record: RunRecord, told: dict[str, Any]) -> None:
    """Into the folder and onto the report, so that who reads it sees both."""
    write_json(record.path / FILE, told)
    refresh_evidence(record.path, Task(told["task"]).generates)
    page = record.path / "report.json"
    if page.is_file():
        from luthier.stages.safety.showing import show_audit

        show_audit(record.path, json.loads(page.read_text(encoding="utf-8")), told)
    Manifest.write(record.path)
