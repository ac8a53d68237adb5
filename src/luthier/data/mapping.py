"""From the columns of a file to the canonical fields of a task."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from luthier.core.errors import FixData
from luthier.core.types import Finding, Level, file_of
from luthier.data.mappings.columns import Mapping
from luthier.data.mappings.recognition import recognise
from luthier.data.source import Source

__all__ = ["Mapping", "Refusals", "canonical_rows", "recognise"]

_TOLERATED = 0.1
"""Share of rows that may be left out before the report calls it an error."""


@dataclass
class Refusals:
    """Rows that did not fit, kept by cause, so that a report can name them."""

    rows: dict[str, list[int]] = field(default_factory=dict)
    first: list[FixData] = field(default_factory=list)
    kept: int = 0

    def add(self, number: int, error: FixData) -> None:
        """Notes a row that was refused."""
        cause = re.sub(r"\d+(\.\d+)?", "…", error.met)
        self.rows.setdefault(cause, []).append(number)
        if not self.first:
            self.first.append(error)

    @property
    def count(self) -> int:
        """How many rows were refused."""
        return sum(map(len, self.rows.values()))

    def findings(self) -> list[Finding]:
        """One finding per cause, most frequent first, at most ten.

        They are errors once more than one row in ten is left out, else warnings.
        """
        many = self.count > _TOLERATED * (self.count + self.kept)
        causes = Counter({cause: len(rows) for cause, rows in self.rows.items()})
        return [
            Finding.at(
                "empty" if cause.endswith("is empty") or "empty" in cause else "refused",
                Level.ERROR if many else Level.WARNING,
                f"{count} rows were left out: {cause}",
                count,
                self.rows[cause][:20],
            )
            for cause, count in causes.most_common(10)
        ]


def canonical_rows(
    source: Source, mapping: Mapping, refusals: Refusals | None = None
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Row number and canonical row of every row that fits, one at a time.

    With `refusals`, rows that do not fit are noted there and left out; without, the first one
    raises FixData.

    Raises: FixData for the first row's fault when no row fits.
    """
    kept = 0
    for number, row in source.rows():
        try:
            canonical = mapping.apply(row, file_of(number) or source.place, number)
        except FixData as error:
            if refusals is None:
                raise
            refusals.add(number, error)
            continue
        kept += 1
        if refusals is not None:
            refusals.kept += 1
        yield number, canonical
    if not kept and refusals is not None and refusals.first:
        raise refusals.first[0]
