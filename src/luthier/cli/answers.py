"""What goes to standard output: tables for people, one line of JSON for programs."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from luthier.core.files import json_line

if TYPE_CHECKING:
    from rich.console import Console


def console() -> Console:
    """The console of standard output; wide where no terminal sets its width."""
    from rich.console import Console

    terminal = sys.stdout.isatty()
    return Console(highlight=False, width=None if terminal else 120)


def answer(value: Any) -> None:
    """`value` as one line of JSON; what JSON does not have (NaN, infinity) becomes null."""
    print(json_line(finite(value), allow_nan=False), end="", flush=True)


def finite(value: Any) -> Any:
    """`value` with every number that is not finite replaced by None, mappings and lists too."""
    if isinstance(value, dict):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def show_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A table; numbers stand to the right, None is a dash."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    filled = [list(row) for row in rows]
    table = Table(
        title=title or None,
        box=SIMPLE_HEAD,
        title_justify="left",
        title_style="bold",
        show_header=any(columns),
    )
    for place, column in enumerate(columns):
        cells = [row[place] for row in filled if row[place] is not None]
        number = bool(cells) and all(isinstance(cell, int | float) for cell in cells)
        table.add_column(column, justify="right" if number else "left", overflow="fold")
    for row in filled:
        table.add_row(*(cell if isinstance(cell, Text) else Text(shown(cell)) for cell in row))
    console().print(table)


def shown(value: Any) -> str:
    """One cell: four decimals for a number that is no whole one, a dash for None."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        if not math.isfinite(value):
            return "–"
        return f"{value:.4f}" if abs(value) < 1000 else f"{value:,.0f}"
    if isinstance(value, int):
        return f"{value:,}"
    return str(value)
