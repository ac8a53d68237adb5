"""What a report shows of bias: differences between groups, what cannot be said, and a repair."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic.dataclasses import dataclass

from luthier.stages.page.strict import STRICT, Number

Three = tuple[Number, Number, Number]
MOST = 24


@dataclass(frozen=True, config=STRICT)
class Gap:
    """A difference of a group from everybody as (value, low, high), over so many rows."""

    group: str
    measure: str
    rows: int
    gap: Three


@dataclass(frozen=True, config=STRICT)
class ProbeRow:
    """Differences over one probe, added up: FPED and FNED where they can be said."""

    flagged: str
    probe: str
    carriers: int
    words: int
    fped: Three | None
    fned: Three | None


@dataclass(frozen=True, config=STRICT)
class Condition:
    """One condition of the gate: whether it held, and what was measured."""

    name: str
    held: bool
    says: str


@dataclass(frozen=True, config=STRICT)
class RepairPart:
    """What was tried in turn, the conditions of the last, and what was decided."""

    accepted: bool
    sentences: tuple[str, ...]
    tried: tuple[tuple[str, str], ...] = ()
    conditions: tuple[Condition, ...] = ()


@dataclass(frozen=True, config=STRICT)
class BiasPart:
    """Sentences, the heaviest differences, sums by probe, and groups that cannot be judged."""

    sentences: tuple[str, ...] = ()
    gaps: tuple[Gap, ...] = ()
    probes: tuple[ProbeRow, ...] = ()
    silent: tuple[tuple[str, str], ...] = ()
    repair: RepairPart | None = None

    @property
    def reach(self) -> float:
        """The farthest end of an interval, from no difference; a tenth at least."""
        return max([0.1, *(abs(end) for one in self.gaps for end in one.gap)])


def with_audit(part: BiasPart, told: Mapping[str, Any]) -> BiasPart:
    """The same with what an audit found."""
    parts = [told, told.get("pairs", {}), told.get("questions", {})]
    findings = [f for part in parts for f in part.get("findings", [])]
    found = [f for f in findings if f["verdict"] == "found"]
    heavy = sorted(found, key=lambda f: (-abs(f["value"]), f["group"]))[:MOST]
    silent = {f["group"]: f["why"] for f in findings if f["verdict"] == "cannot say"}
    return replace(
        part,
        sentences=tuple(told["words"]),
        gaps=tuple(
            Gap(f["group"], f["measure"], f["rows"], (f["value"], f["low"], f["high"]))
            for f in heavy
        ),
        probes=tuple(
            ProbeRow(
                flagged,
                name,
                one["carriers"],
                len(one["words"]),
                _three(one["fped"]),
                _three(one["fned"]),
            )
            for flagged, choice in told.get("choices", {}).items()
            for name, one in choice["probes"].items()
        ),
        silent=tuple(silent.items()),
    )


def with_repair(part: BiasPart, told: Mapping[str, Any]) -> BiasPart:
    """The same with what a repair tried and what the gate said."""
    conditions = tuple(Condition(c["name"], c["held"], c["says"]) for c in told["conditions"])
    tried = tuple((one["kind"], one["says"]) for one in told["tried"])
    made = RepairPart(told["accepted"], tuple(told["words"]), tried, conditions)
    return replace(part, repair=made)


def _three(found: Mapping[str, float] | None) -> Three | None:
    return None if found is None else (found["value"], found["low"], found["high"])
