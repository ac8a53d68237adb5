"""Rows that say the same: duplicates, leakage between splits, conflicting labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from luthier.core.types import Finding, Level
from luthier.data.audits.scan import Scan
from luthier.data.split import Splits

_TOLERATED = 0.01
"""Share of held-out rows that may stand in training before the report calls it an error."""


def duplicates(scan: Scan) -> list[Finding]:
    """Rows whose whole normalised text stands in an earlier row."""
    _, first = np.unique(scan.whole, return_index=True)
    later = np.setdiff1d(np.arange(len(scan.whole)), first)
    return scan.finding(
        "duplicate", Level.INFO, later, "{count} rows repeat the text of an earlier row"
    )


def leakage(scan: Scan, splits: Splits, generates: bool) -> list[Finding]:
    """Held-out rows whose text stands in training; for dialogue also those whose prompt does.

    A few are a warning; from one in a hundred held-out rows on, scores cannot be trusted.
    """
    found = []
    for name, rows in (("validation", splits.validation), ("test", splits.test)):
        leaked = rows[np.isin(scan.whole[rows], scan.whole[splits.train])]
        level = Level.ERROR if len(leaked) >= _TOLERATED * len(rows) else Level.WARNING
        found += scan.finding(
            "leakage",
            level,
            leaked,
            f"{{count}} {name} rows ({_share(leaked, rows)}) stand in training as well",
        )
        if generates:
            asked = rows[np.isin(scan.input[rows], scan.input[splits.train])]
            found += scan.finding(
                "same-input",
                Level.WARNING,
                np.setdiff1d(asked, leaked),
                f"{{count}} {name} rows have a prompt that stands in training with another answer",
            )
    return found


def conflicts(scan: Scan, labels: Sequence[Any]) -> list[Finding]:
    """Rows with equal normalised text and different labels."""
    first: dict[int, Any] = {}
    torn: set[int] = set()
    for key, label in zip(scan.input.tolist(), labels, strict=True):
        if first.setdefault(key, label) != label:
            torn.add(key)
    rows = np.flatnonzero(np.isin(scan.input, np.array(list(torn), dtype=np.int64)))
    return scan.finding(
        "conflicting-labels",
        Level.WARNING,
        rows,
        f"{{count}} rows share {len(torn)} texts but carry different labels",
    )


def torn_groups(scan: Scan, groups: Sequence[Any], splits: Splits) -> list[Finding]:
    """Held-out rows whose group has training rows as well."""
    trained = {groups[i] for i in splits.train.tolist()} - {None}
    found = []
    for name, rows in (("validation", splits.validation), ("test", splits.test)):
        torn = [i for i in rows.tolist() if groups[i] in trained]
        found += scan.finding(
            "group-leakage",
            Level.WARNING,
            np.array(torn, dtype=np.int64),
            f"{{count}} {name} rows belong to a group that training shows as well",
        )
    return found


def _share(part: np.ndarray, whole: np.ndarray) -> str:
    return f"{100 * len(part) / max(1, len(whole)):.1f} %"
