"""What earlier tasks showed: read from the store and from the starter history in the package."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

import numpy as np

from luthier.core.errors import RepairStore
from luthier.search.history.record import PastPoint, PastTrial, TaskRecord
from luthier.store.store import Store
from luthier.store.studies import PointRow, StudyRow, TrialRow

FORMAT = 1
"""The version of a starter file that this code reads."""


@dataclass(frozen=True)
class History:
    """All task records that may be read for one tenant.

    Studies of other tenants and private ones never get in; the starter history is public.
    """

    records: tuple[TaskRecord, ...]

    @staticmethod
    def open(store: Store | None, tenant: str = "", starter: bool = True) -> History:
        """The history of a tenant, with the starter history unless it is left out.

        Raises: RepairStore for a starter file of another version.
        """
        found = list(starter_records()) if starter else []
        if store is not None:
            found += [record_of(store, study) for study in store.studies.all(tenant)]
        return History(tuple(r for r in found if r.trials))

    def related(self, kind: str, without: Sequence[str] = ()) -> tuple[TaskRecord, ...]:
        """Records of the same kind of task, except those of the families `without`."""
        return tuple(r for r in self.records if r.kind == kind and r.family not in without)


def record_of(store: Store, study: StudyRow) -> TaskRecord:
    """A study of the store as a record."""
    curves: dict[str, list[PointRow]] = {}
    for point in store.studies.points(study.run):
        curves.setdefault(point.trial, []).append(point)
    trials = tuple(
        _trial(row, curves.get(row.trial, ())) for row in store.studies.trials(study.run)
    )
    return TaskRecord(
        id=study.run,
        family=study.family,
        kind=study.kind,
        base=study.base,
        metric=study.metric,
        share=study.share,
        direction=study.direction,
        anchor=study.anchor,
        features=study.features,
        trials=tuple(t for t in trials if t.curve or t.diverged),
        rows=study.rows,
        tenant=study.tenant,
        private=study.private,
        origin="store",
        facts={k: str(v) for k, v in study.facts.items()},
    )


def _trial(row: TrialRow, points: Sequence[PointRow]) -> PastTrial:
    # A clone began with another trial's parameters: its curve is not that of its configuration.
    own = points if row.parent is None else ()
    curve = tuple(
        PastPoint(p.unit, p.score, p.loss, p.train_loss, p.cost)
        for p in own
        if np.isfinite(p.score) and np.isfinite(p.cost)
    )
    return PastTrial(row.config, curve, row.source, row.seed, row.status == "diverged")


def starter_records() -> Iterator[TaskRecord]:
    """The records that come with the package.

    Raises: RepairStore when the file has another version.
    """
    place = resources.files("luthier.search.history") / "starter" / "history.jsonl.gz"
    if not place.is_file():
        return
    with place.open("rb") as packed, gzip.open(packed, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield record_from_dict(json.loads(line), str(place))


def record_from_dict(content: dict[str, Any], place: str) -> TaskRecord:
    """A record from its JSON form, as `record_to_dict` gives it.

    Raises: RepairStore for another version: a history is never misread.
    """
    if content.get("format") != FORMAT:
        raise RepairStore(
            place, f"the history has format {content.get('format')!r}", f"format {FORMAT}",
            "reinstall the package, or set tune.history: off",
        )  # fmt: skip
    trials = tuple(
        PastTrial(
            t["config"],
            tuple(PastPoint(*point) for point in t["curve"]),
            t.get("source", ""),
            t.get("seed", 0),
            t.get("diverged", False),
        )
        for t in content["trials"]
    )
    rest = {k: v for k, v in content.items() if k not in ("format", "trials")}
    return TaskRecord(**rest, trials=trials)


def record_to_dict(record: TaskRecord) -> dict[str, Any]:
    """The JSON form of a record; numbers are rounded to six digits."""
    trials = [
        {
            "config": dict(t.config),
            "curve": [[p.unit, *map(_short, (p.score, p.loss, p.train_loss, p.cost))]
                      for p in t.curve],
            "source": t.source,
            "seed": t.seed,
            "diverged": t.diverged,
        }
        for t in record.trials
    ]  # fmt: skip
    rest = {**vars(record), "features": dict(record.features), "facts": dict(record.facts)}
    return {"format": FORMAT, **rest, "trials": trials}


def _short(value: float) -> float:
    return float(f"{value:.6g}")
