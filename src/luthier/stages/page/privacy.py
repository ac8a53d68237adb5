"""What a report shows of privacy: what is proved, what was demonstrated, and what was checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic.dataclasses import dataclass

from luthier.stages.page.strict import STRICT, Number
from luthier.stages.safety.verdict import proved


@dataclass(frozen=True, config=STRICT)
class ExposedRow:
    """A training row that stands out, and the share of rows not trained on that score as high,
    with its interval."""

    row: int
    share_as_high: Number
    low: Number = 0.0
    high: Number = 1.0


@dataclass(frozen=True, config=STRICT)
class PrivacyPart:
    """Sentences, facts as (name, value) and the rows that stand out; `how` says in words what was
    done to every update."""

    proved: tuple[str, ...]
    facts: tuple[tuple[str, str], ...] = ()
    demonstrated: tuple[str, ...] = ()
    together: tuple[str, ...] = ()
    exposed: tuple[ExposedRow, ...] = ()
    luck: tuple[str, ...] = ()
    how: str = ""


_FACTS = {
    "noise": "noise over clipping bound",
    "rate": "sampling rate",
    "steps": "updates",
    "clipping": "clipping",
    "unit": "protected unit",
    "units": "units",
    "batch_size": "expected units per update",
    "mechanism_audit": "test of the mechanism",
    "ledger_tip": "newest entry of the ledger",
}


def privacy_part(told: Mapping[str, Any]) -> PrivacyPart:
    """What training wrote about its privacy; it has `epsilon`, `delta` and `unit`."""
    return PrivacyPart(tuple(proved(told)), _facts(told), how=_how(told))


def with_audit(part: PrivacyPart | None, told: Mapping[str, Any]) -> PrivacyPart:
    """The same with what an audit found."""
    words = told["words"]
    return PrivacyPart(
        tuple(words["proved"]),
        part.facts if part else (),
        tuple(words["demonstrated"]),
        tuple(words["together"]),
        tuple(
            ExposedRow(e["row"], e["share_as_high"], e["low"], e["high"]) for e in told["exposed"]
        ),
        tuple(words["luck"]),
        part.how if part else "",
    )


def _how(told: Mapping[str, Any]) -> str:
    """The mechanism for people who know no gradients; "" where a record lacks a number."""
    if not {"steps", "rate", "noise"} <= told.keys():
        return ""
    unit = told["unit"]
    whom = "every row" if unit == "example" else f"all that belongs to one {unit}"
    return (
        f"Learning took {told['steps']:,} steps. In each of them {whom} took part with a chance of "
        f"{told['rate']:.1%}, drawn anew; what it could add was cut to a fixed bound, and random "
        f"noise of {told['noise']:.3g} times that bound was added to the sum. How far "
        "that hides a single one is what is proved above."
    )


def _facts(told: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    found = []
    for key, name in _FACTS.items():
        value = told.get(key)
        if isinstance(value, Mapping):
            value = value.get("words")
        if value is not None:
            found.append((name, f"{value:.4g}" if isinstance(value, float) else str(value)))
    return tuple(found)
