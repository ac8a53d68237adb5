"""Labels that no person gave may teach a model and never measure one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from luthier.core.errors import FixData
from luthier.data.source import Source

SOURCE = "label_source"
WEAK = ("rule", "model")
"""Who labelled a row, where it was no person."""


@dataclass
class Watched:
    """The rows of a source; the numbers of those are kept that rules or a model labelled."""

    source: Source
    weak: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.place = self.source.place

    def rows(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Every row as it is."""
        for number, row in self.source.rows():
            if row.get(SOURCE) in WEAK:
                self.weak.add(number)
            yield number, row

    def refuse(self, part: str) -> None:
        """Raises: FixData when such rows were read and `part` is taken from them."""
        if self.weak:
            raise FixData(
                self.place,
                f"{len(self.weak)} rows were labelled by rules or by a model, and {part} rows "
                "would be taken from them",
                "such labels may teach, and never measure",
                f"give a file of people's labels as data.{part}",
            )
