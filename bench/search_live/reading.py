"""From the records of searches to lines of the table."""

from __future__ import annotations

import math
import statistics
from typing import Any

from ledger import Row

Record = dict[str, Any]
MUST, AIM = 0.4, 0.15
PLANNED = 3
"""Seeds of a whole measurement."""


def reached(record: Record, wanted: float) -> float:
    """Seconds until the incumbent was first that good on the check rows; infinite if it never was
    within the budget."""
    times = [
        e["at"]
        for e in record["trajectory"]
        if e["check"] >= wanted and e["at"] <= record["seconds"]
    ]
    return min(times, default=math.inf)


def final(record: Record) -> float:
    """Accuracy of the last incumbent within the budget on the check rows; 0 if there was none."""
    inside = [e["check"] for e in record["trajectory"] if e["at"] <= record["seconds"]]
    return float(inside[-1]) if inside else 0.0


def with_model(pairs: list[tuple[Record, Record]]) -> list[tuple[Record, Record]]:
    """Those in which the peer had a model when its budget was spent."""
    return [(own, peer) for own, peer in pairs if peer["test"] is not None]


def _asked(must: str, pairs: list[tuple[Record, Record]]) -> str:
    """What is asked for, on how much it was measured, and how busy the machine was."""
    without = len(pairs) - len(with_model(pairs))
    ending = f", in {without} of them the peer ended without a model" if without else ""
    load = statistics.mean(record["load_before"] for pair in pairs for record in pair)
    return f"{must}; {len(pairs)} of {PLANNED} seeds so far, load {load:.1f}{ending}"


def time_row(names: tuple[str, str], pairs: list[tuple[Record, Record]]) -> Row:
    """Ours and theirs: seconds to the accuracy at which they end. Both clocks stop where it was
    first reached."""
    ours, theirs = [], []
    for own, peer in with_model(pairs):
        wanted = final(peer)
        ours.append(reached(own, wanted))
        theirs.append(reached(peer, wanted))
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    ratio = statistics.median(ratios)
    ends = (min(ratios), max(ratios))
    return Row(
        *names,
        _finite(statistics.median(ours), 1),
        _finite(statistics.median(theirs), 1),
        _finite(ratio, 3),
        (round(ends[0], 3), round(ends[1], 3)) if math.isfinite(ends[1]) else None,
        _asked(f"at most {MUST:g}x", pairs),
        f"at most {AIM:g}x",
        ratio <= MUST,
    )


def test_row(names: tuple[str, str], pairs: list[tuple[Record, Record]]) -> Row:
    """Mean accuracy on the sealed test rows of what each chose; the interval is that of the
    difference (95 %, the two taken as independent)."""
    both = with_model(pairs)
    ours = statistics.mean(own["test"] for own, _ in both)
    theirs = statistics.mean(peer["test"] for _, peer in both)
    rows = sum(own["rows"]["test"] for own, _ in both)
    spread = 1.96 * math.sqrt((ours * (1 - ours) + theirs * (1 - theirs)) / rows)
    gap = ours - theirs
    return Row(
        *names,
        round(ours, 4),
        round(theirs, 4),
        round(ours / theirs, 3) if theirs else None,
        (round(gap - spread, 4), round(gap + spread, 4)),
        _asked("not below beyond the interval", pairs),
        "above",
        gap + spread >= 0,
    )


def bound_row(names: tuple[str, str], more: float, one: float, must: float, aim: float) -> Row:
    """How many times as much `more` is as `one`."""
    ratio = more / one
    return Row(
        *names, round(more, 1), round(one, 1), round(ratio, 3), None,
        f"at most {must:g}x", f"at most {aim:g}x", ratio <= must,
    )  # fmt: skip


def _finite(value: float, digits: int) -> float | None:
    return round(value, digits) if math.isfinite(value) else None
