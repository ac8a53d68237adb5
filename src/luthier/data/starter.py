"""Labelled data that comes with the package, to try things on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from luthier.core.errors import FixData, nearest
from luthier.core.types import Task


@dataclass(frozen=True)
class Starter:
    """A data set of the package: what it is, its task and its licence."""

    title: str
    task: Task = Task.CLASSIFY
    columns: tuple[str, ...] = ("text", "label")
    licence: str = "CC0-1.0"


STARTERS: dict[str, Starter] = {
    "finance_messages": Starter("messages of bank customers, by what they want"),
    "healthcare_messages": Starter("messages of patients to a practice, by what they need"),
}


def starter_path(name: str) -> Path:
    """The CSV file of a starter data set.

    Raises: FixData for an unknown name, or when the package lacks the file.
    """
    if name not in STARTERS:
        near = nearest(name, STARTERS)
        raise FixData(
            f"starter:{name}",
            "there is no such starter data",
            f"Allowed: {', '.join(STARTERS)}",
            f"Did you mean {near!r}?" if near else "",
        )
    path = Path(__file__).parent / "starter" / f"{name}.csv"
    if not path.is_file():
        raise FixData(f"starter:{name}", "the package lacks this file", advice="reinstall luthier")
    return path
