"""The form all metrics share: a function of sums of row statistics.

A metric turns each row into K numbers once; its value is a function of their sums. A resample
of the rows is then a weighted sum, so a thousand bootstrap draws are one sparse product.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from luthier.core.types import Task
from luthier.evaluate.predictions import FloatArray, IntArray, Predictions

if TYPE_CHECKING:
    from scipy import sparse

Statistics: TypeAlias = "sparse.csr_matrix"
Direction: TypeAlias = Literal["higher", "lower"]


@dataclass(frozen=True)
class Metric:
    """A named measure of predictions.

    `statistics` gives (N, K) numbers per row, or None when the predictions lack what is needed;
    `finish` turns sums (draws, K) into values (draws,), NaN where undefined. `undefined` says
    when there is no value. `counted` marks a mean of zeros and ones, which an exact test fits.
    """

    name: str
    title: str
    direction: Direction
    tasks: tuple[Task, ...]
    statistics: Callable[[Any], Statistics | None]
    finish: Callable[[FloatArray], FloatArray]
    undefined: str = "there are no rows"
    counted: bool = False
    share: bool = False

    def value(self, predictions: Predictions, weights: FloatArray | None = None) -> float | None:
        """The metric over all rows, or with a weight (N,) for each; None where undefined."""
        statistics = self.statistics(predictions) if len(predictions.rows) else None
        if statistics is None:
            return None
        each = np.ones(len(predictions.rows)) if weights is None else weights
        value = float(self.finish(np.asarray(statistics.T @ each)[None, :])[0])
        return value if np.isfinite(value) else None


def dense(*columns: Any) -> Statistics:
    """Statistics (N, K) from K columns (N,) or blocks (N, k)."""
    # Loading it takes longer than planning a run, which needs the names of metrics only.
    from scipy import sparse

    return sparse.csr_matrix(np.column_stack([np.asarray(c, dtype=np.float64) for c in columns]))


def one_hot(indices: IntArray, classes: int, values: Any = None) -> Statistics:
    """Statistics (N, C) with `values` (N,), by default one, at each row's index."""
    from scipy import sparse

    count = len(indices)
    filled = np.ones(count) if values is None else np.asarray(values, dtype=np.float64)
    return sparse.csr_matrix((filled, (np.arange(count), indices)), shape=(count, classes))


def side_by_side(*blocks: Statistics) -> Statistics:
    """Statistics (N, sum of k) from blocks (N, k)."""
    from scipy import sparse

    return sparse.csr_matrix(sparse.hstack(blocks, format="csr"))


def ratio(numerator: FloatArray, denominator: FloatArray) -> FloatArray:
    """The quotient, NaN where the denominator is zero."""
    good = denominator != 0
    result: FloatArray = np.full(np.broadcast_shapes(numerator.shape, good.shape), np.nan)
    return np.divide(numerator, denominator, out=result, where=good)


def mean(sums: FloatArray) -> FloatArray:
    """The first sum over the second."""
    return ratio(sums[:, 0], sums[:, 1])


def mean_of(values: Any) -> Statistics:
    """Statistics whose `mean` is the mean of `values` (N,)."""
    return dense(values, np.ones(len(values)))
