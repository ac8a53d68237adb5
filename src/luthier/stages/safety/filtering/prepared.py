"""Training data on its way through the filters, and what the report tells of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from luthier.core.types import Finding, Level
from luthier.data.audit import DataReport
from luthier.recipe.recipe import Recipe
from luthier.stages.safety.filtering.guard import guard_of
from luthier.stages.safety.filtering.rows import Account, Row, screened


class DataFilter:
    """Screens the rows of a run; without `safety.filters` it passes everything on and knows
    nothing."""

    def __init__(self, recipe: Recipe) -> None:
        section = recipe.safety.filters if recipe.safety else None
        self._section = section if section and section.data else None
        self._guard = guard_of(self._section, recipe.train.seed) if self._section else None
        self._account = Account()

    def pass_on(self, rows: Iterator[tuple[int, Row]]) -> Iterator[tuple[int, Row]]:
        """The rows that may be used, redacted where asked."""
        return screened(rows, self._guard, self._account) if self._guard else rows

    def added(self, report: DataReport) -> DataReport:
        """The data report with what was met: kinds, counts and row numbers."""
        if self._guard is None:
            return report
        found = self._account.findings(self._guard.actions)
        if self._guard.missing:
            found.append(Finding("filter-missing", Level.WARNING, self._guard.missing))
        return replace(report, findings=(*report.findings, *found))

    def as_dict(self) -> dict[str, Any] | None:
        """What the record of the run keeps; None where nothing was screened."""
        if self._guard is None or self._section is None:
            return None
        return {
            "data": self._account.as_dict(),
            "actions": dict(self._guard.actions),
            "answers": self._section.answers,
            "surrogates": self._section.surrogates,
            "false_positives": self._section.false_positives,
            "missing": self._guard.missing,
            "promises": promises(self._section.false_positives) if not self._guard.missing else [],
            "personal": None if self._guard.missing else _personal(),
        }


def _personal() -> dict[str, Any]:
    from luthier.stages.safety.filtering.heads import found_of_personal

    return found_of_personal()


def promises(share: float) -> list[dict[str, Any]]:
    """What each learned judge promises about harmless texts, and on how many that rests."""
    from luthier.stages.safety.filtering.heads import promised

    return promised(share)
