"""What a report shows of poison and behaviour: what was looked for, what was found, in words."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic.dataclasses import dataclass

from luthier.stages.page.strict import STRICT, Number
from luthier.stages.safety.evidence import FILE, standing


@dataclass(frozen=True, config=STRICT)
class Suspect:
    """One suspicion of a detector, how many rows it concerns, and what to do."""

    detector: str
    message: str
    advice: str
    count: int
    rows: tuple[int, ...] = ()


@dataclass(frozen=True, config=STRICT)
class Turned:
    """How often a suspicious phrase turns clean rows, as (value, low, high), beside usual words."""

    phrase: str
    target: str
    rows: int
    rate: tuple[Number, Number, Number]
    usual: tuple[Number, Number, Number]
    planted: bool


@dataclass(frozen=True, config=STRICT)
class PoisonPart:
    """Rows looked at, suspicions, detectors that could not look with the reason, and flips."""

    rows: int
    of: int
    suspects: tuple[Suspect, ...] = ()
    silent: tuple[tuple[str, str], ...] = ()
    flips: tuple[Turned, ...] = ()


@dataclass(frozen=True, config=STRICT)
class Moved:
    """One measure of behaviour before and after, each as (value, low, high)."""

    measure: str
    before: tuple[Number, Number, Number]
    after: tuple[Number, Number, Number]
    worse: tuple[Number, Number, Number]
    verdict: str


@dataclass(frozen=True, config=STRICT)
class BehaviourPart:
    """The gate's verdict, its margin, the judge's errors and every measure."""

    gate: str
    margin: Number
    seeds: int
    sensitivity: Number
    specificity: Number
    labelled: int
    moved: tuple[Moved, ...] = ()
    not_measured: tuple[str, ...] = ()


@dataclass(frozen=True, config=STRICT)
class EvidenceLine:
    """A line of a risk framework: `status` is measured, missing or stale."""

    subcategory: str
    actions: str
    what: str
    status: str
    why: str


def evidence_lines(folder: Path, now: datetime) -> tuple[EvidenceLine, ...]:
    """The evidence of a run as it stands; nothing for runs that wrote none."""
    if not (folder / FILE).is_file():
        return ()
    return tuple(
        EvidenceLine(x["subcategory"], ", ".join(x["actions"]), x["what"], x["status"], x["why"])
        for x in standing(folder, now)
    )


def poison_part(told: Mapping[str, Any]) -> PoisonPart:
    """What the checks wrote about the rows."""
    return PoisonPart(
        told["rows"],
        told["of"],
        tuple(
            Suspect(s["detector"], s["message"], s["advice"], s["count"], tuple(s["rows"]))
            for s in told["suspicions"]
        ),
        tuple(sorted(told["silent"].items())),
        tuple(
            Turned(
                f["phrase"],
                f["target"],
                f["rows"],
                tuple(f["rate"]),
                tuple(f["usual"]),
                f["planted"],
            )
            for f in told["flips"]
        ),
    )


def behaviour_part(told: Mapping[str, Any]) -> BehaviourPart:
    """What the battery wrote."""
    judge = told["judge"]
    return BehaviourPart(
        told["gate"],
        told["margin"],
        told["seeds"],
        judge["sensitivity"],
        judge["specificity"],
        judge["labelled"],
        tuple(
            Moved(
                c["measure"],
                tuple(c["before"]),
                tuple(c["after"]),
                tuple(c["worse"]),
                c["verdict"],
            )
            for c in told["changes"]
        ),
        tuple(told["not_measured"]),
    )
