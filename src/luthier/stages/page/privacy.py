"""What a report shows of privacy: what is proved, what was demonstrated, and what was checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic.dataclasses import dataclass

from luthier.stages.page.strict import STRICT, Number
from luthier.stages.safety.verdict import proved


@dataclass(frozen=True, config=STRICT)
class ExposedRow:
    """A training row that stands out, and the share of rows not trained on that score as high."""

    row: int
    share_as_high: Number


@dataclass(frozen=True, config=STRICT)
class PrivacyPart:
    """Sentences, facts as (name, value) and the rows that stand out."""

    proved: tuple[str, ...]
    facts: tuple[tuple[str, str], ...] = ()
    demonstrated: tuple[str, ...] = ()
    together: tuple[str, ...] = ()
    exposed: tuple[ExposedRow, ...] = ()


_FACTS = {
    "noise": "noise over clipping bound",
    "rate": "sampling rate",
    "steps": "updates",
    "clipping": "clipping",
    "unit": "protected unit",
    "units": "units",
    "batch_size": "expected units per update",
    "mechanism_audit": "planted gradients",
    "ledger_tip": "newest entry of the ledger",
}


def privacy_part(told: Mapping[str, Any]) -> PrivacyPart:
    """What training wrote about its privacy; it has `epsilon`, `delta` and `unit`."""
    return PrivacyPart(tuple(proved(told)), _facts(told))


def with_audit(part: PrivacyPart | None, told: Mapping[str, Any]) -> PrivacyPart:
    """The same with what an audit found."""
    words = told["words"]
    return PrivacyPart(
        tuple(words["proved"]),
        part.facts if part else (),
        tuple(words["demonstrated"]),
        tuple(words["together"]),
        tuple(ExposedRow(e["row"], e["share_as_high"]) for e in told["exposed"]),
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
