"""From replays to numbers: per method an array over tasks and seeds, means, ranks, intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import friedmanchisquare, rankdata
from tables import Table

Array = NDArray[np.float64]
POINT = 0.01
MARKS = (0.5, 1, 2, 3, 5, 8, 12)
DRAWS = 4000
RESOLUTION = 0.005
"""Half a point: what counts as truly worse than the default."""


@dataclass(frozen=True)
class Replayed:
    """What one replay came to; times are in whole trainings of the default.

    `reached` is when a finished model within a point of the table's best was first chosen, the
    budget if never; `proven` the same with the best as rows show it that did not choose it;
    `regrets` (len(MARKS), 2) are those of the leader on choosing rows and test;
    `final` is the test regret of what shipped, `ahead` its test score less the default's.
    """

    reached: float
    proven: float
    censored: bool
    regrets: Array
    final: float
    ahead: float
    first: bool
    thought: float
    spent: float


def judged(table: Table, line: Mapping[str, Any], runs: float) -> Replayed:
    """A replay against the table it was made on."""
    tests, events = table.tests, np.asarray(line["events"], np.float64)
    good = tests >= tests[table.best] - POINT - 1e-9
    likely = tests >= table.likely_best - POINT - 1e-9
    times, ships = events[:, 0] / table.full, events[:, 3].astype(int)
    hits, others = (times[(ships >= 0) & g[ships] & (times <= runs)] for g in (good, likely))
    shipped = int(line["shipped"])
    test = float(tests[shipped]) if shipped >= 0 else float("nan")
    # A search that ships nothing leaves its user with the default untrained: as bad as the worst.
    test = float(np.nanmin(tests)) if np.isnan(test) else test
    entries = [int(e) for e in events[:, 1]]
    first = next((e for e in entries if e != 0), 0) if entries[0] == 0 else entries[0]
    return Replayed(
        reached=float(hits[0]) if len(hits) else runs,
        proven=float(others[0]) if len(others) else runs,
        censored=not len(hits),
        regrets=np.asarray([_regrets(table, events, times, mark) for mark in MARKS]),
        final=float(tests[table.best]) - test,
        ahead=test - float(tests[0]),
        first=bool(good[first]),
        thought=float(line["thought"]),
        spent=float(line["seconds"]) / table.full,
    )


def _regrets(table: Table, events: Array, times: Array, mark: float) -> tuple[float, float]:
    """Of the leader at a time; before anything was seen, of an entry taken at random."""
    scores = (table.finals, table.tests)
    before = np.flatnonzero(times <= mark + 1e-9)
    lead = int(events[before[-1], 4]) if len(before) else -1
    found = []
    for values in scores:
        lost = np.where(np.isnan(values), np.nanmin(values), values)
        found.append(float(lost.max() - (lost[lead] if lead >= 0 else lost.mean())))
    return found[0], found[1]


def of(results: Sequence[Sequence[Replayed]], name: str) -> Array:
    """A measure as an array (tasks, seeds)."""
    return np.asarray([[float(getattr(r, name)) for r in row] for row in results])


def saved(ours: Array, theirs: Array, seed: int = 0) -> tuple[float, tuple[float, float]]:
    """Share of their mean that ours does without, with a 95 % interval.

    Hierarchical bootstrap: tasks are drawn, then seeds within them.
    """

    def share(a: Array, b: Array) -> float:
        return 1 - float(a.mean(1).mean()) / float(b.mean(1).mean())

    random = np.random.default_rng(seed)
    tasks = len(ours)
    found = []
    for _ in range(DRAWS):
        rows = random.integers(tasks, size=tasks)
        mine = np.asarray([random.choice(ours[r], ours.shape[1]) for r in rows])
        other = np.asarray([random.choice(theirs[r], theirs.shape[1]) for r in rows])
        found.append(share(mine, other))
    low, high = np.quantile(found, [0.025, 0.975])
    return share(ours, theirs), (float(low), float(high))


def ranks(reached: Mapping[str, Array]) -> tuple[dict[str, float], float]:
    """Mean rank of each method over tasks (1 is best) and the p value of Friedman's test, whose
    unit is the task; NaN below three tasks."""
    table = np.stack([values.mean(1) for values in reached.values()], axis=1)
    each = np.apply_along_axis(rankdata, 1, table)
    chance = float("nan")
    if min(table.shape) >= 3 and np.ptp(table) > 0:
        chance = float(friedmanchisquare(*table.T).pvalue)
    return dict(zip(reached, map(float, each.mean(0)), strict=True)), chance
