"""How sure a number is: bootstrap intervals and paired comparisons.

Source: Efron, Bootstrap Methods: Another Look at the Jackknife, 1979 (percentile intervals);
McNemar, Note on the sampling error of the difference between correlated proportions, 1947.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from luthier.core.errors import CheckRun
from luthier.core.seeds import derive
from luthier.core.types import Interval
from luthier.evaluate.measure import chosen
from luthier.evaluate.metric import Metric, Statistics
from luthier.evaluate.predictions import (
    ClassPredictions,
    FloatArray,
    MultilabelPredictions,
    Predictions,
)

CELLS = 2_000_000
"""Weights held at once: bounds the memory of a bootstrap to about 40 MB."""


@dataclass(frozen=True)
class Comparison:
    """Two models on the same rows; `difference` is tuned minus base."""

    metric: str
    base: float
    tuned: float
    difference: Interval
    p_value: float
    test: Literal["paired bootstrap", "McNemar exact"]


def bootstrap(
    predictions: Predictions,
    names: Sequence[str] | None = None,
    draws: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> dict[str, Interval]:
    """Percentile intervals over resampled rows, for each metric that has a value.

    Resamples in which a metric is undefined are left out of its interval. An interval always
    holds its point: where a biased metric such as ECE would leave it outside, the nearer end
    is moved to the point.

    Raises: FixRecipe for an unknown metric.
    """
    intervals: dict[str, Interval] = {}
    for metric, (statistics,) in _usable([predictions], names):
        point = _point(metric, statistics)
        values = _resampled(metric, [statistics], draws, seed)[0]
        intervals[metric.name] = _interval(point, values, level)
    return intervals


def paired(
    base: Predictions,
    tuned: Predictions,
    names: Sequence[str] | None = None,
    draws: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> dict[str, Comparison]:
    """Base against tuned, resampling the same rows for both; metrics both have a value for.

    `level` is that of the intervals; the lower end of one at 0.9 is a one-sided bound at 95 %.

    Means of zeros and ones are tested by McNemar's exact test, all others by the share of
    resampled differences on the other side of zero, two-sided, never below 2 / (draws + 1).

    Raises: CheckRun when the two did not answer the same rows; FixRecipe for an unknown metric.
    """
    _same_rows(base, tuned)
    return {
        metric.name: _compare(metric, statistics, draws, seed, level)
        for metric, statistics in _usable([base, tuned], names)
    }


def _compare(
    metric: Metric, statistics: Sequence[Statistics], draws: int, seed: int, level: float
) -> Comparison:
    first, second = (_point(metric, s) for s in statistics)
    old, new = _resampled(metric, statistics, draws, seed)
    difference = _interval(second - first, new - old, level)
    pairs = _counted(metric, statistics)
    if pairs is not None:
        return Comparison(metric.name, first, second, difference, _mcnemar(*pairs), "McNemar exact")
    p_value = _two_sided(new - old)
    return Comparison(metric.name, first, second, difference, p_value, "paired bootstrap")


def _usable(
    models: Sequence[Predictions], names: Sequence[str] | None
) -> Iterator[tuple[Metric, list[Statistics]]]:
    """The metrics defined for all models, with statistics summed by source row, rows sorted."""
    for metric in chosen(models[0], names):
        found = [metric.statistics(p) if len(p.rows) else None for p in models]
        kept = [_by_row(p, s) for p, s in zip(models, found, strict=True) if s is not None]
        if len(kept) == len(models) and all(np.isfinite(_point(metric, s)) for s in kept):
            yield metric, kept


def _by_row(predictions: Predictions, statistics: Statistics) -> Statistics:
    from scipy import sparse

    _, groups = np.unique(predictions.rows, return_inverse=True)
    count = len(groups)
    gather = sparse.csr_matrix((np.ones(count), (groups, np.arange(count))))
    return sparse.csr_matrix(gather @ statistics)


def _point(metric: Metric, statistics: Statistics) -> float:
    return float(metric.finish(np.asarray(statistics.sum(axis=0)))[0])


def _resampled(
    metric: Metric, statistics: Sequence[Statistics], draws: int, seed: int
) -> list[FloatArray]:
    """The metric's value (draws,) of each model; all models see the same resampled rows."""
    rows = statistics[0].shape[0]
    rng = np.random.default_rng(derive(seed, "bootstrap", rows, draws))
    flipped = [s.T.tocsr() for s in statistics]
    values: list[list[FloatArray]] = [[] for _ in statistics]
    for size in _blocks(draws, max(1, CELLS // rows)):
        picked = rng.integers(0, rows, size=(size, rows)) + rows * np.arange(size)[:, None]
        counts = np.bincount(picked.ravel(), minlength=size * rows).reshape(size, rows)
        weights = np.ascontiguousarray(counts.T, dtype=np.float64)
        for kept, matrix in zip(values, flipped, strict=True):
            kept.append(metric.finish(np.asarray(matrix @ weights).T))
    return [np.concatenate(kept) for kept in values]


def _blocks(total: int, size: int) -> Iterator[int]:
    for start in range(0, total, size):
        yield min(size, total - start)


def _interval(point: float, values: FloatArray, level: float) -> Interval:
    defined = values[np.isfinite(values)]
    if not len(defined):
        return Interval(point, point, point, level)
    tail = (1 - level) / 2
    low, high = np.quantile(defined, [tail, 1 - tail])
    return Interval(point, min(float(low), point), max(float(high), point), level)


def _two_sided(differences: FloatArray) -> float:
    defined = differences[np.isfinite(differences)]
    fewer = min((defined <= 0).sum(), (defined >= 0).sum())
    return float(min(1.0, 2 * (fewer + 1) / (len(defined) + 1)))


def _counted(
    metric: Metric, statistics: Sequence[Statistics]
) -> tuple[FloatArray, FloatArray] | None:
    """Right or wrong (N,) of both models, or None where the exact test does not apply."""
    if not metric.counted:
        return None
    old, new = (np.asarray(s.toarray()) for s in statistics)
    single = (old[:, 1] == 1).all()
    binary = np.isin(np.concatenate([old[:, 0], new[:, 0]]), (0, 1)).all()
    return (old[:, 0], new[:, 0]) if single and binary else None


def _mcnemar(old: FloatArray, new: FloatArray) -> float:
    gained, lost = int((new > old).sum()), int((new < old).sum())
    if gained + lost == 0:
        return 1.0
    from scipy.stats import binomtest

    return float(binomtest(gained, gained + lost).pvalue)


def _same_rows(base: Predictions, tuned: Predictions) -> None:
    if type(base) is not type(tuned):
        met = f"{type(base).__name__} and {type(tuned).__name__}"
        raise CheckRun("comparison", met, "both models must answer the same kind of task")
    if not np.array_equal(np.sort(base.rows), np.sort(tuned.rows)):
        only = len(np.setxor1d(base.rows, tuned.rows))
        raise CheckRun(
            "comparison",
            f"the models answered {len(base.rows)} and {len(tuned.rows)} rows, "
            f"{only} of them by one model only",
            "a paired comparison needs the same rows",
            "evaluate both models on the same file",
        )
    for kind in (ClassPredictions, MultilabelPredictions):
        if isinstance(base, kind) and isinstance(tuned, kind) and base.labels != tuned.labels:
            raise CheckRun("comparison", "the label lists differ", "the same labels in one order")
