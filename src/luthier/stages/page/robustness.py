"""What a report shows of attacks: what was tried, what it changed, and what hardening cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic.dataclasses import dataclass

from luthier.stages.page.strict import STRICT, Number

Three = tuple[Number, Number, Number]
_CHANGES = {
    "words": "words become near ones",
    "typos": "slips of the keyboard",
    "invisible": "characters that show nothing",
    "lookalikes": "letters of other scripts that look the same",
    "hotflip": "words that the gradient says hurt most",
    "ball": "vectors of the input, not its text",
    "trigger": "one phrase in front of every text",
}
"""What each attack changes, in words."""


@dataclass(frozen=True, config=STRICT)
class AttackRow:
    """One attack: accuracy before and under it as (value, low, high), the share of right answers
    it turned within so many queries, and how many changes were thrown away; `changes` says what it
    does to a text."""

    name: str
    changes: str
    threat: str
    rows: int
    before: Three
    after: Three
    success: tuple[tuple[int, Three], ...]
    thrown_away: int


@dataclass(frozen=True, config=STRICT)
class HardenPart:
    """What hardening tried and found: accuracy under each attack before and after, and words."""

    accepted: bool
    sentences: tuple[str, ...]
    attacks: tuple[tuple[str, Three, Three], ...] = ()


@dataclass(frozen=True, config=STRICT)
class RobustnessPart:
    """Attacks on the tuned model, or why there were none."""

    attacks: tuple[AttackRow, ...] = ()
    queries: int = 0
    not_measured: str = ""
    harden: HardenPart | None = None
    advice: tuple[str, ...] = ()


def robustness_part(told: Mapping[str, Any]) -> RobustnessPart:
    """What `safety.json` keeps under `robustness`."""
    attacks = tuple(_row(one) for one in told.get("attacks", ()))
    harden = told.get("harden")
    return RobustnessPart(
        attacks,
        max((int(one["queries"]) for one in told.get("attacks", ())), default=0),
        told.get("not_measured", ""),
        None if harden is None else _harden(harden),
        tuple(told.get("advice", ())),
    )


def _row(one: Mapping[str, Any]) -> AttackRow:
    return AttackRow(
        one["attack"],
        _CHANGES.get(one["attack"], ""),
        one["threat"],
        one["rows"],
        _three(one["accuracy"]),
        _three(one["robust_accuracy"]),
        tuple((int(mark), _three(share)) for mark, share in one["success"].items()),
        sum(one["thrown_away"].values()),
    )


def _harden(told: Mapping[str, Any]) -> HardenPart:
    pairs = zip(told.get("before", ()), told.get("after", ()), strict=True)
    return HardenPart(
        told["accepted"],
        tuple(told["words"]),
        tuple(
            (b["attack"], _three(b["robust_accuracy"]), _three(a["robust_accuracy"]))
            for b, a in pairs
        ),
    )


def _three(found: Mapping[str, float]) -> Three:
    return found["value"], found["low"], found["high"]
