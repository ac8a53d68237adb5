"""How long the rows are."""

from __future__ import annotations

from typing import Any

import numpy as np

from luthier.core.types import Finding, Level
from luthier.data.audits.scan import Scan

_BINS = 20
_FAR = 20


def lengths(scan: Scan) -> dict[str, Any]:
    """Characters and words per row: mean, percentiles, largest, and a histogram."""
    return {"characters": _summary(scan.characters), "words": _summary(scan.words)}


def far_out(scan: Scan) -> list[Finding]:
    """Rows that are many times longer than half of all rows."""
    middle = max(1.0, float(np.median(scan.characters)))
    rows = np.flatnonzero(scan.characters > max(500.0, _FAR * middle))
    return scan.finding(
        "very-long",
        Level.INFO,
        rows[np.argsort(-scan.characters[rows], kind="stable")],
        f"{{count}} rows are more than {_FAR} times as long as the middle row "
        f"({middle:.0f} characters)",
    )


def _summary(values: np.ndarray) -> dict[str, Any]:
    counts, edges = np.histogram(values, bins=_BINS)
    p50, p95, p99 = (float(p) for p in np.percentile(values, [50, 95, 99]))
    return {
        "mean": float(values.mean()),
        "p50": p50,
        "p95": p95,
        "p99": p99,
        "max": int(values.max()),
        "histogram": {"edges": edges.tolist(), "counts": counts.tolist()},
    }
