"""Peers without a model: the default alone, random search, a grid, successive halving, chunks.

Configurations are drawn evenly from the untried entries of the table, which were themselves drawn
from the prior of our space: these peers get that prior for nothing.
"""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Callable
from itertools import product

from replay import Leader, Play
from tables import DECISIONS, UNITS

ETA = 4
RUNGS = (1, 4, 16)
AT_ONCE = 8
RATES, BATCHES = (-0.5, 0.0, 0.5), (16, 32, 64)


def default(play: Play, seed: int) -> int:
    """One training of the recipe as it stands."""
    leader = Leader(play)
    leader.advance(0, UNITS)
    return leader.ships


def at_random(play: Play, seed: int) -> int:
    """Whole trainings in random order."""
    leader, draw = Leader(play), _order(play, seed)
    while not play.over and draw:
        leader.advance(draw.pop(), UNITS)
    return leader.ships


def grid(play: Play, seed: int) -> int:
    """Three learning rates, half a decade apart, times three batch sizes, in random order."""
    leader, points = Leader(play), list(product(RATES, BATCHES))
    random.Random(seed).shuffle(points)
    for rate, batch in points:
        wanted = {**play.table.entries[0].config, "rate_offset": rate, "train.batch_size": batch}
        entry = play.nearest(wanted)
        if entry is None or play.over:
            break
        leader.advance(entry, UNITS)
    return leader.ships


def asha(play: Play, seed: int) -> int:
    """Asynchronous successive halving with one worker, a quarter promoted at each rung.

    Source: Li et al. 2020, algorithm 2.
    """
    leader, draw = Leader(play), _order(play, seed)
    seen: list[dict[int, float]] = [{} for _ in RUNGS]
    while not play.over:
        step = _promotion(seen, ETA)
        if step is None and draw:
            step = (draw.pop(), 0)
        # A table comes to an end where a real search would not: then the best go on.
        step = step or _promotion(seen, 1)
        if step is None:
            break
        entry, rung = step
        point = leader.advance(entry, RUNGS[rung], RUNGS)
        seen[rung][entry] = -math.inf if point is None else point.score
    return leader.ships


def _promotion(seen: list[dict[int, float]], eta: int) -> tuple[int, int] | None:
    for rung in reversed(range(len(RUNGS) - 1)):
        ranked = sorted(seen[rung], key=lambda e: -seen[rung][e])
        for entry in ranked[: len(ranked) // eta]:
            if entry not in seen[rung + 1] and seen[rung][entry] > -math.inf:
                return entry, rung + 1
    return None


def chunks(play: Play, seed: int) -> int:
    """Eight configurations advance together, chunk by chunk; those below the median of all that
    were seen at the same chunk are frozen, and the next eight follow.

    Written anew from the description of RapidFire AI's scheduler; none of its code is used.
    """
    leader, draw = Leader(play), _order(play, seed)
    seen: dict[int, dict[int, float]] = {unit: {} for unit in DECISIONS}
    while draw and not play.over:
        group = [draw.pop() for _ in range(min(AT_ONCE, len(draw)))]
        for unit in DECISIONS:
            for entry in list(group):
                if play.over:
                    return leader.ships
                point = leader.advance(entry, unit)
                seen[unit][entry] = -math.inf if point is None else point.score
            middle = statistics.median(seen[unit].values())
            group = [e for e in group if seen[unit][e] >= middle > -math.inf]
    return leader.ships


def _order(play: Play, seed: int) -> list[int]:
    found = list(range(len(play.table.entries)))
    random.Random(seed).shuffle(found)
    return found


SIMPLE: dict[str, Callable[[Play, int], int]] = {
    "default only": default,
    "random": at_random,
    "grid 3x3": grid,
    "ASHA, random": asha,
    "chunks, peer median": chunks,
}
