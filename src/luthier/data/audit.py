"""The data report: what is in a table, and what is wrong with it, before anything is trained."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np

from luthier.core.types import Finding, Level, Task
from luthier.data.audits.balance import (
    balance,
    constant,
    count_labels,
    labels_of,
    one_class,
    unseen,
)
from luthier.data.audits.duplicates import near_copies
from luthier.data.audits.encoding import describe
from luthier.data.audits.lengths import far_out, lengths
from luthier.data.audits.repeats import conflicts, duplicates, leakage, torn_groups
from luthier.data.audits.scan import Scan, scan
from luthier.data.mapping import Refusals
from luthier.data.mappings.text import normalise
from luthier.data.split import Splits
from luthier.data.table import Table

__all__ = ["DataReport", "audit", "normalise"]

_ORDER = {Level.ERROR: 0, Level.WARNING: 1, Level.INFO: 2}


@dataclass(frozen=True)
class DataReport:
    """Row counts (total, refused, kept, train, validation, test), findings (errors first), how
    often each label occurs, and the lengths of rows in characters and words."""

    rows: dict[str, int]
    findings: tuple[Finding, ...]
    labels: dict[str, int]
    lengths: dict[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """A JSON-ready form."""
        return {
            "rows": self.rows,
            "findings": [finding.as_dict() for finding in self.findings],
            "labels": self.labels,
            "lengths": self.lengths,
        }


def audit(
    table: Table,
    splits: Splits,
    refusals: Refusals | None = None,
    declared: Collection[str] = (),
) -> DataReport:
    """Everything worth knowing about the rows of a table and the way they are divided.

    `refusals` are the rows that did not get into the table; they are counted and named. `declared`
    are classes that need no training row.
    """
    seen = scan(table)
    labels = labels_of(table)
    found = [
        *(refusals.findings() if refusals else []),
        *seen.finding("empty", Level.WARNING, seen.empty, "{count} rows hold nothing visible"),
        *duplicates(seen),
        *leakage(seen, splits, table.task.generates),
        *torn_groups(seen, table.column("group"), splits),
        *_near(table, seen, splits),
        *_label_findings(table, labels, splits, seen, declared),
        *far_out(seen),
        *_encoding(seen),
    ]
    refused = refusals.count if refusals else 0
    parts = {name: len(rows) for name, rows in splits.as_dict().items()}
    rows = {"total": len(table) + refused, "refused": refused, "kept": sum(parts.values())}
    return DataReport(
        rows=rows | parts,
        findings=tuple(sorted(found, key=lambda finding: _ORDER[finding.level])),
        labels=count_labels(labels),
        lengths=lengths(seen),
    )


def _near(table: Table, seen: Scan, splits: Splits) -> list[Finding]:
    """Held-out rows almost equal to a training row."""

    def texts(rows: np.ndarray) -> list[str]:
        return [normalise(said) for said in table.texts(rows)]

    found = []
    for name, rows in (("validation", splits.validation), ("test", splits.test)):
        held = rows[~np.isin(seen.whole[rows], seen.whole[splits.train])]
        pairs = near_copies(seen.signed, held, splits.train, texts)
        found += seen.finding(
            "near-leakage",
            Level.WARNING,
            np.array(sorted(pairs), dtype=np.int64),
            f"{{count}} {name} rows are almost equal to a training row",
        )
    return found


def _label_findings(
    table: Table,
    labels: list[tuple[str, ...]],
    splits: Splits,
    seen: Scan,
    declared: Collection[str],
) -> list[Finding]:
    if table.task in (Task.CLASSIFY, Task.MULTILABEL):
        return [
            *balance(count_labels(labels), declared),
            *unseen(labels, splits, seen, declared, table.task is Task.CLASSIFY and not declared),
            *conflicts(seen, labels),
        ]
    if table.task is Task.TAG:
        return [*one_class(labels, seen), *unseen(labels, splits, seen)]
    return constant(table.column("label")) if table.task is Task.REGRESS else []


def _encoding(seen: Scan) -> list[Finding]:
    return [describe(kind, rows, seen.numbers(rows)) for kind, rows in seen.faulty.items()]
