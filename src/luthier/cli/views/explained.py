"""Explanations as the terminal shows them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from luthier.cli.views.rows import show_rows

MOST = 8
"""Words whose scores are shown."""


def show_explained(told: Mapping[str, Any]) -> None:
    """Prints what `explain` found: notes, how faithful the method is, then each text."""
    for note in told["notes"]:
        print(note)
    print(_measured(told))
    for one in told["explanations"]:
        _show(one, str(told["method"]), str(told["level"]))
    print(f"The page: {told['page']}")


def _measured(told: Mapping[str, Any]) -> str:
    method, gate = told["method"], told["gate"]
    if not gate or method not in gate["faith"]:
        return f"Scores by {method}."
    faith = gate["faith"][method]["overall"]
    return (
        f"Scores by {method}: faithfulness {faith['value']:.2f} [{faith['low']:.2f}, "
        f"{faith['high']:.2f}] on {gate['texts']} validation texts (0 is chance, 1 the best found)."
    )


def _show(one: Mapping[str, Any], method: str, level: str) -> None:
    print()
    print(one["text"].strip())
    if one["answer"]:
        print(f"  it wrote: {one['answer']}")
    if one["label"]:
        place = ", ".join(filter(None, (one.get("file"), f"row {one.get('row')}")))
        print(f"  true label: {one['label']}" + (f" ({place})" if one.get("row") else ""))
    if one.get("against"):
        print(f"  why {one['target']} and not {one['against']}:")
    heavy = sorted(one["words"], key=lambda w: -abs(w["score"]))[:MOST]
    print("  " + "  ".join(f"{w['word']} {w['score']:+.2f}" for w in heavy))
    for note in one["notes"]:
        print(f"  {note}")
    for claim in one["claims"]:
        print(f"  {claim['says']}")
    if "learned_from" in one:
        show_rows(one["learned_from"])
    if level == "engineer":
        gap = "" if one["gap"] is None else f", completeness gap {100 * one['gap']:.2f} %"
        print(f"  method {method}, tokens of the format {one['format']:+.4f}{gap}")
