"""What a measure says about a group: found, not found, or too little data to say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np

from luthier.explain.attribution import Floats
from luthier.explain.bias.rates import interval_of

FEWEST = 30
"""Rows a rate of a group needs at least."""
POWER = 0.8

Verdict = Literal["found", "not found", "cannot say"]


@dataclass(frozen=True)
class Finding:
    """A difference of a group from everybody, or from chance.

    `p_value` is corrected for all findings it was looked at together with. `certifiable` is the
    smallest difference that so many rows would show in four of five cases; 0 where none was asked.
    """

    measure: str
    group: str
    rows: int
    verdict: Verdict
    value: float | None = None
    low: float | None = None
    high: float | None = None
    p_value: float | None = None
    certifiable: float | None = None
    why: str = ""

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


def looked_at(measure: str, group: str, rows: int, draws: Floats) -> Finding:
    """A difference from its draws, the first of which is the value itself; not yet corrected."""
    from scipy.stats import norm

    found = interval_of(draws)
    # Draws of a few rows that all agree have no spread, and yet another row could differ.
    spread = max(float(np.nanstd(draws[1:])), 1 / max(1, rows))
    # Counting draws beyond zero cannot go below the number of draws, which Holm's steps ask for.
    p_value = float(2 * norm.sf(abs(found.value) / spread))
    return Finding(
        measure, group, rows, "not found", found.value, found.low, found.high, p_value, spread
    )


def too_few(measure: str, group: str, rows: int, said: int) -> Finding:
    """Nothing can be said: of `said` rows of the group too few are of the kind that is asked."""
    why = f"{rows} of its {said} rows are of this kind, {FEWEST} are needed"
    if said == 0:
        why = "it never occurs"
    return Finding(measure, group, rows, "cannot say", why=why)


def corrected(findings: Sequence[Finding], level: float = 0.05) -> list[Finding]:
    """The same with p-values corrected by Holm's steps, a verdict, and what could be certified.

    Source: Holm 1979, "A Simple Sequentially Rejective Multiple Test Procedure".
    """
    from scipy.stats import norm

    asked = [i for i, f in enumerate(findings) if f.p_value is not None]
    tests = max(1, len(asked))
    reach = float(norm.ppf(1 - level / (2 * tests)) + norm.ppf(POWER))
    done, worst = list(findings), 0.0
    for step, i in enumerate(sorted(asked, key=lambda i: (findings[i].p_value or 0.0, i))):
        one = findings[i]
        assert one.p_value is not None and one.certifiable is not None
        worst = max(worst, min(1.0, one.p_value * (tests - step)))
        done[i] = replace(
            one,
            p_value=worst,
            certifiable=one.certifiable * reach,
            verdict="found" if worst < level else "not found",
        )
    return done
