"""Lines of the table about what other tasks hand on: encoders, and weights to begin at."""

from __future__ import annotations

from typing import Any

import numpy as np
from beside import row_of, span
from earlier import NEAR

Cells = dict[str, dict[str, Any]]


def lines(earlier: Cells, reptile: Cells) -> list[dict[str, Any]]:
    """The rung `earlier` by itself and by the gate, on near and on far tasks; learnt beginnings."""
    told = []
    for kind, near in (("of the same trade", True), ("of other trades only", False)):
        some = [c for n, c in earlier.items() if bool(NEAR[n.rsplit("-", 2)[0]]) is near]
        told += _handed(some, f"earlier encoders {kind}") if some else []
    return [*told, *_begun(reptile)]


def _handed(cells: list[dict[str, Any]], what: str) -> list[dict[str, Any]]:
    without, alone, chosen = (
        np.asarray([100 * c[name]["accuracy"] for c in cells])
        for name in ("without", "alone", "with")
    )
    taken = sum(c["rung"] == "earlier" for c in cells)
    return [
        row_of(
            f"accuracy with {what}, always taken, mean of {len(cells)} cells",
            "ladder without them", alone.mean(), without.mean(), interval=span(alone - without),
        ),
        row_of(
            f"accuracy with {what}, taken on evidence ({taken} of {len(cells)} cells)",
            "ladder without them", chosen.mean(), without.mean(), interval=span(chosen - without),
            must="not below beyond the interval", met=(span(chosen - without) or [0, 0])[1] >= 0,
        ),
    ]  # fmt: skip


def _begun(cells: Cells) -> list[dict[str, Any]]:
    if not cells:
        return []
    fresh, learnt = (
        np.asarray([100 * c[name]["accuracy"] for c in cells.values()])
        for name in ("fresh", "learnt")
    )
    what = f"accuracy of the rung tuned, begun where other trades led, mean of {len(cells)} cells"
    apart = span(learnt - fresh)
    return [row_of(what, "begun at nothing", learnt.mean(), fresh.mean(), interval=apart)]
