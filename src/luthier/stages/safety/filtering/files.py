"""Screens a file of rows, and writes it again with surrogates where that is asked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from luthier.core.files import json_line, write_text
from luthier.core.progress import Progress
from luthier.data.source import open_source
from luthier.recipe.safety.filters import Filters
from luthier.stages.safety.filtering.guard import guard_of
from luthier.stages.safety.filtering.rows import Account, Guard


@dataclass(frozen=True)
class Asked:
    """What to screen and how."""

    file: str
    out: Path | None = None
    style: Literal["placeholder", "lifelike"] = "placeholder"
    seed: int = 0
    rules_only: bool = False


def screen_file(asked: Asked, progress: Progress) -> dict[str, Any]:
    """Counts and row numbers by kind; with `out`, the rows with surrogates go there.

    Every string of a row is screened. In a file nothing is left out: rows with harmful text are
    counted and stay.

    Raises: FixData for a file that cannot be read, FreeDisk when the disk is full.
    """
    section = Filters(toxicity="allow", injection="allow", surrogates=asked.style)
    guard = guard_of(section, asked.seed, rules_only=asked.rules_only)
    account = Account()
    progress.start("screening", None, "rows")
    lines = _lines(asked, guard, account, progress)
    if asked.out is None:
        for _ in lines:
            pass
    else:
        write_text(asked.out, "".join(lines))
    out = str(asked.out) if asked.out else None
    return account.as_dict() | {"file": asked.file, "out": out, "note": guard.missing}


def _lines(asked: Asked, guard: Guard, account: Account, progress: Progress) -> Iterator[str]:
    for number, row in open_source(asked.file).rows():
        told, action, met = guard.judge_row(dict(row))
        account.note(number, action, met)
        progress.advance(1)
        yield json_line(told)
