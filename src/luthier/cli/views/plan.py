"""A plan for people: what was found, what will be done, what it costs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from luthier.cli.answers import console, show_table
from luthier.cli.listener import span
from luthier.core.types import Finding

if TYPE_CHECKING:
    from rich.text import Text

    from luthier.stages.planning import PlanResult

_MARKS = {"error": ("✗", "red"), "warning": ("!", "yellow"), "info": ("·", "cyan")}
_ROWS_SHOWN = 8


def show_plan(result: PlanResult, again: str, full: bool, brief: bool) -> None:
    """The whole plan; `full` adds the resolved recipe, `brief` leaves all but the summary out.

    `again` is the recipe with its overrides, as the command line has them.
    """
    _show_summary(result)
    if brief:
        return
    show_findings(result.findings)
    _show_paths(result.legal)
    for note in result.notes:
        print(f"Note: {note}")
    show_masked(result.masked)
    if full:
        from luthier.recipe.load import dump_recipe

        print("\nResolved recipe\n")
        print(dump_recipe(result.resolved))
    if any(finding.level.value == "error" for finding in result.findings):
        print(f"\nA run would stop at the errors above. Then: luthier run {again}")
    else:
        print(f"\nNext: luthier run {again}")


def show_findings(findings: Sequence[Finding]) -> None:
    """What was noticed, the gravest first."""
    from rich.text import Text

    if not findings:
        print("\nThe data report has no findings.\n")
        return
    order = list(_MARKS)
    rows = []
    for finding in sorted(findings, key=lambda each: order.index(each.level.value)):
        mark, colour = _MARKS[finding.level.value]
        numbers = _numbers(finding)
        rows.append([Text(mark, style=colour), finding.code, finding.message, numbers])
    show_table("Data report", ["", "finding", "what", "rows"], rows)


def show_masked(rows: Sequence[Sequence[tuple[str, bool]]]) -> None:
    """Three rows as the model sees them; what it learns to write stands out."""
    if not rows:
        return
    out = console()
    coloured = out.is_terminal and not out.no_color
    if any(supervised for row in rows for _, supervised in row):
        learnt = "green" if coloured else "inside [[ ]]"
        print(f"\nRows as the model sees them; what it learns to write is {learnt}:\n")
    else:
        # An encoder's tokens come without the spaces between them.
        print("\nRows as the model reads them, token by token:\n")
        rows = [[(f"{token} ", False) for token, _ in row] for row in rows]
    for row in rows:
        out.print(_masked(row, coloured), soft_wrap=True)
        print()


def _masked(row: Sequence[tuple[str, bool]], coloured: bool) -> Text:
    from rich.text import Text

    text = Text()
    for part, supervised in _runs(row):
        if not coloured:
            text.append(f"[[{part}]]" if supervised else part)
        else:
            text.append(part, style="bold green" if supervised else "dim")
    return text


def _runs(row: Iterable[tuple[str, bool]]) -> list[tuple[str, bool]]:
    """Neighbours of the same kind joined."""
    joined: list[tuple[str, bool]] = []
    for token, supervised in row:
        if joined and joined[-1][1] == supervised:
            joined[-1] = (joined[-1][0] + token, supervised)
        else:
            joined.append((token, supervised))
    return joined


def _show_summary(result: PlanResult) -> None:
    rows = ", ".join(f"{count:,} {name}" for name, count in result.rows.items())
    memory, seconds = result.estimate.get("memory_mb"), result.estimate.get("seconds")
    facts: list[list[Any]] = [["task", str(result.task)], ["base", result.base], ["rows", rows]]
    if memory is not None:
        facts.append(["memory", f"about {memory:,.0f} MB"])
    if seconds is not None:
        facts.append(["time", f"about {span(seconds)}"])
    show_table("Plan", ["", ""], facts)


def _show_paths(legal: dict[str, dict[str, Any]]) -> None:
    rows = [[name, path.get("on"), path.get("why", "")] for name, path in legal.items()]
    if rows:
        show_table("Fast paths", ["path", "taken", "why"], rows)


def _numbers(finding: Finding) -> str:
    shown = finding.where(_ROWS_SHOWN)
    left = finding.count - min(len(finding.rows), _ROWS_SHOWN)
    if not shown:
        return f"{finding.count:,}" if finding.count else ""
    return f"{shown} and {left:,} more" if left > 0 else shown
