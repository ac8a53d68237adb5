"""Training rows behind answers, and those with doubtful labels, as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

LONGEST = 90
"""Characters of a text in a line."""


def show_rows(told: Mapping[str, Any]) -> None:
    """The rows an answer was learned from, and what removal proved."""
    if "note" in told:
        print(f"  {told['note']}")
        return
    _lines("learned from", told["for"])
    _lines("against it", told["against"])
    count = len(told["for"])
    print(f"  of the {count} rows, {told['shared']} are also among the most similar texts")
    if "verified" in told:
        print(f"  {told['verified']['says']}")


def _lines(title: str, rows: Sequence[Mapping[str, Any]]) -> None:
    print(f"  {title}:" if rows else f"  {title}: no row")
    for row in rows:
        place = f"{row['file']}, row {row['row']}" if row["file"] else f"row {row['row']}"
        label, text = short(row["label"]), short(row["text"])
        print(f"    {row['score']:+.3f}  {place}  [{label}]  {text}")


def show_mislabelled(told: Mapping[str, Any]) -> None:
    """The rows, the most doubtful first."""
    print(f"{len(told['rows'])} of {told['of']} training rows, the most doubtful label first")
    for row in told["rows"]:
        place = f"{row['file']}, row {row['row']}" if row["file"] else f"row {row['row']}"
        print(f"  {row['suspicion']:.3f}  {place}  [{row['label']}]  {short(row['text'])}")
        if row["reads_like"] != row["label"]:
            print(f"         reads like {row['reads_like']!r}")
    if told["control"] is not None:
        print(f"rows turned on purpose stand out with an AUC of {told['control']:.2f}")
    for note in told["notes"]:
        print(note)
    print(f"The list: {told['work_list']}")


def short(text: str) -> str:
    """The beginning of a text, in one line."""
    line = " ".join(str(text).split())
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"
