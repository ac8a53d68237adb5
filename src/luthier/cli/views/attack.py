"""Attacks for people: what stayed right, what turned, and what may be done about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from luthier.cli.answers import show_table


def show_attacks(told: Mapping[str, Any], brief: bool) -> None:
    """Each attack with intervals, and next steps; `brief` leaves those out."""
    found = told["attacks"]
    if found and "refused" in found[0]:
        _show_refusals(found)
    else:
        _show_answers(found)
    if brief:
        return
    print("In brackets: 95 % intervals. Kept as attack.json in the folder of the run.")
    for line in told["advice"]:
        print(line)


def show_certificate(told: Mapping[str, Any]) -> None:
    """Which share is right for certain, by the number of exchanged words."""
    for exchanged, found in told["certified"].items():
        print(
            f"{exchanged} words exchanged: right for certain {_share(found)}, {told['rows']} rows"
        )


def _show_answers(found: list[Mapping[str, Any]]) -> None:
    columns = ["attack", "rows", "right before", "right under attack", "right answers turned"]
    rows = [
        [
            one["attack"],
            one["rows"],
            _share(one["accuracy"]),
            _share(one["robust_accuracy"]),
            "; ".join(f"{_share(s)} within {n} queries" for n, s in one["success"].items()),
            sum(one["thrown_away"].values()),
        ]
        for one in found
    ]
    show_table("", [*columns, "changes not valid"], rows)


def _show_refusals(found: list[Mapping[str, Any]]) -> None:
    rows = [
        [one["attack"], one["rows"], _share(one["refused_plainly"]), _share(one["refused"])]
        for one in found
    ]
    show_table("", ["attack", "requests", "refused plainly", "refused dressed up"], rows)


def _share(three: Mapping[str, float]) -> str:
    return f"{three['value']:.3f} [{three['low']:.3f}, {three['high']:.3f}]"
