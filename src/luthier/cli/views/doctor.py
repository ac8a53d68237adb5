"""The doctor's checks as a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from luthier.cli.answers import show_table

if TYPE_CHECKING:
    from luthier.stages.doctor import Check

_MARKS = {"ok": ("✓", "green"), "warn": ("!", "yellow"), "fail": ("✗", "red")}


def show_checks(checks: Sequence[Check], only_faults: bool = False) -> None:
    """A row for each check, and a last line that sums up."""
    from rich.text import Text

    shown = [check for check in checks if not only_faults or check.verdict.value != "ok"]
    if shown:
        rows = []
        for check in shown:
            mark, colour = _MARKS[check.verdict.value]
            rows.append([Text(mark, style=colour), check.name, check.seen, check.advice])
        show_table("", ["", "what", "seen", "advice"], rows)
    counts = {value: sum(c.verdict.value == value for c in checks) for value in _MARKS}
    print(f"{counts['ok']} well, {counts['warn']} with limits, {counts['fail']} failed")
