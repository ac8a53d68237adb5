"""Labels that no person gave may teach a model and never measure one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from luthier.core.errors import FixData

SOURCE = "label_source"
WEAK = ("rule", "model")
"""Who labelled a row, where it was no person."""


def refuse_weak_judges(rows: Sequence[Mapping[str, Any]], place: str, part: str) -> None:
    """Raises: FixData when rows that `part` is taken from were labelled by rules or a model."""
    weak = sum(row.get(SOURCE) in WEAK for row in rows)
    if weak:
        raise FixData(
            place,
            f"{weak} of {len(rows)} rows looked at were labelled by rules or by a model, and "
            f"{part} rows would be taken from them",
            "such labels may teach, and never measure",
            f"give a file of people's labels as data.{part}",
        )
