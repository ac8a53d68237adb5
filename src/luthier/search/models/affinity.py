"""How alike two tasks are, judged by their features alone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from luthier.search.history.record import TaskRecord

REACH = 0.7
"""Deviations between two tasks at which one says little about the other."""

UNLIKE, UNKNOWN, FARTHEST = 2.0, 3, 9.0
"""Mean squared distance of two tasks taken at random; fewer common features than `UNKNOWN` are
filled up with it. No single feature counts for more than `FARTHEST`."""

TELLING, SHARE = "log_labels", 0.75
"""The feature that says most, and its part of the distance: on recorded tasks it goes with which
way the learning rate should move from the formula's."""

OTHER_KIND = 0.25
"""Weight of a task of another kind (answering instead of classifying, say)."""


def affinities(
    features: Mapping[str, float], records: Sequence[TaskRecord], kind: str = "", share: bool = True
) -> NDArray[np.float64]:
    """Weights (J,) in [0, 1] of past tasks for a task with these features; the likest has 1.

    Only differences between past tasks count: how far all of them can be trusted is for the
    observations to say, not for features on which no two tasks agree.
    A record whose metric lives on another scale (a share against a loss) gets 0: its values have
    another unit. One of another kind gets a quarter; an empty `kind` counts as the same. A feature
    is left out of a pair where one of the two lacks it.
    """
    deviations = _deviations(records)
    distances = [_distance(features, record.features, deviations) for record in records]
    found = []
    for record, distance in zip(records, distances, strict=True):
        alike = math.exp((min(distances) - distance) / (2 * REACH**2))
        other = kind != "" and record.kind != "" and kind != record.kind
        found.append(alike * (OTHER_KIND if other else 1.0) * float(record.share == share))
    return np.asarray(found, np.float64)


def _deviations(records: Sequence[TaskRecord]) -> dict[str, float]:
    columns: dict[str, list[float]] = {}
    for record in records:
        for name, value in record.features.items():
            if math.isfinite(value):
                columns.setdefault(name, []).append(value)
    spread = {name: float(np.std(values)) for name, values in columns.items()}
    return {name: value for name, value in spread.items() if value > 1e-9}


def _distance(
    first: Mapping[str, float], second: Mapping[str, float], deviations: Mapping[str, float]
) -> float:
    squares = {}
    for name, deviation in deviations.items():
        gap = (first.get(name, math.nan) - second.get(name, math.nan)) / deviation
        if math.isfinite(gap):
            squares[name] = min(FARTHEST, gap**2)
    telling = squares.pop(TELLING, None)
    others = [*squares.values(), *[UNLIKE] * (UNKNOWN - len(squares))]
    mean = sum(others) / len(others)
    return mean if telling is None else SHARE * telling + (1 - SHARE) * mean
