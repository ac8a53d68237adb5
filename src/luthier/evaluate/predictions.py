"""What a model said about labelled rows, as plain arrays: one frozen record per kind of task.

`rows` are the row numbers of the source file. Predictions that share a row number are kept
together when rows are resampled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from luthier.core.errors import CheckRun

FloatArray: TypeAlias = NDArray[np.floating[Any]]
IntArray: TypeAlias = NDArray[np.integer[Any]]
BoolArray: TypeAlias = NDArray[np.bool_]
Span: TypeAlias = tuple[int, int, str]


@dataclass(frozen=True, eq=False)
class ClassPredictions:
    """One label of `labels` per row: `truth` (N,) as indices, `probabilities` (N, C).

    Raises: CheckRun when shapes differ, an index is no label or a row does not sum to one.
    """

    labels: tuple[str, ...]
    truth: IntArray
    probabilities: FloatArray
    rows: IntArray

    def __post_init__(self) -> None:
        count, classes = len(self.rows), len(self.labels)
        _shape("truth", self.truth, (count,))
        _shape("probabilities", self.probabilities, (count, classes))
        _within("truth", self.truth, 0, classes - 1)
        _within("probabilities", self.probabilities, -1e-6, 1 + 1e-3)
        if count and np.abs(self.probabilities.sum(axis=1) - 1).max() > 1e-2:
            raise CheckRun(
                "predictions.probabilities",
                "a row does not sum to one",
                "each row holds the probabilities of all labels",
                "apply softmax to the scores first",
            )


@dataclass(frozen=True, eq=False)
class MultilabelPredictions:
    """Any number of labels per row: `truth` (N, C) of booleans, `probabilities` (N, C).

    A label counts as predicted from a probability of one half.

    Raises: CheckRun when shapes differ or a probability is outside 0 to 1.
    """

    labels: tuple[str, ...]
    truth: BoolArray
    probabilities: FloatArray
    rows: IntArray

    def __post_init__(self) -> None:
        shape = (len(self.rows), len(self.labels))
        _shape("truth", self.truth, shape)
        _shape("probabilities", self.probabilities, shape)
        _within("probabilities", self.probabilities, -1e-6, 1 + 1e-3)


@dataclass(frozen=True, eq=False)
class ValuePredictions:
    """A number per row: `truth` (N,) and `values` (N,).

    Raises: CheckRun when shapes differ or a number is not finite.
    """

    truth: FloatArray
    values: FloatArray
    rows: IntArray

    def __post_init__(self) -> None:
        for name, array in (("truth", self.truth), ("values", self.values)):
            _shape(name, array, (len(self.rows),))
            _within(name, array, -np.inf, np.inf)


@dataclass(frozen=True, eq=False)
class SpanPredictions:
    """Labelled stretches of text per row: lists of (start, end, label), N lists each.

    Raises: CheckRun when the numbers of rows differ.
    """

    truth: Sequence[Sequence[Span]]
    spans: Sequence[Sequence[Span]]
    rows: IntArray

    def __post_init__(self) -> None:
        _length("truth", self.truth, len(self.rows))
        _length("spans", self.spans, len(self.rows))


@dataclass(frozen=True, eq=False)
class TextPredictions:
    """Generated texts, measured losses, or both.

    `truth` holds the accepted references of each row, `texts` the generated answers; both are
    empty when nothing was generated. `nats` (N,) are summed negative log-likelihoods of the
    reference, over `tokens` (N,) tokens and `bytes` (N,) UTF-8 bytes; None when not measured.

    Raises: CheckRun when the numbers of rows differ, a row has no reference or a loss is not
    finite.
    """

    truth: Sequence[Sequence[str]]
    texts: Sequence[str]
    rows: IntArray
    nats: FloatArray | None = None
    tokens: IntArray | None = None
    bytes: IntArray | None = None

    def __post_init__(self) -> None:
        count = len(self.rows)
        if self.truth or self.texts:
            _length("truth", self.truth, count)
            _length("texts", self.texts, count)
        for position, references in enumerate(self.truth):
            if not references:
                place = f"predictions row {int(self.rows[position])}"
                raise CheckRun(place, "there is no reference text", "at least one reference")
        for name in ("nats", "tokens", "bytes"):
            array = {"nats": self.nats, "tokens": self.tokens, "bytes": self.bytes}[name]
            if array is not None:
                _shape(name, array, (count,))
                _within(name, array, -1e-3, np.inf)


@dataclass(frozen=True, eq=False)
class MaskedPredictions:
    """Guesses at hidden tokens, by row: `nats` (N,) are summed negative log-likelihoods of the
    `tokens` (N,) that were hidden, of which `right` (N,) were the likeliest guess.

    Raises: CheckRun when shapes differ, a loss is not finite or more are right than hidden.
    """

    nats: FloatArray
    tokens: IntArray
    right: IntArray
    rows: IntArray

    def __post_init__(self) -> None:
        for name, array in (("nats", self.nats), ("tokens", self.tokens), ("right", self.right)):
            _shape(name, array, (len(self.rows),))
            _within(name, array, -1e-3, np.inf)
        _within("right", self.right - self.tokens, -np.inf, 0)


@dataclass(frozen=True, eq=False)
class PreferencePredictions:
    """How much each chosen answer is preferred over the rejected one: `margins` (N,).

    Raises: CheckRun when shapes differ or a margin is not finite.
    """

    margins: FloatArray
    rows: IntArray

    def __post_init__(self) -> None:
        _shape("margins", self.margins, (len(self.rows),))
        _within("margins", self.margins, -np.inf, np.inf)


Predictions: TypeAlias = (
    ClassPredictions
    | MultilabelPredictions
    | ValuePredictions
    | SpanPredictions
    | TextPredictions
    | MaskedPredictions
    | PreferencePredictions
)


def _shape(name: str, array: NDArray[Any], shape: tuple[int, ...]) -> None:
    if array.shape != shape:
        raise CheckRun(f"predictions.{name}", f"the shape is {array.shape}", f"it must be {shape}")


def _length(name: str, values: Sequence[Any], count: int) -> None:
    if len(values) != count:
        raise CheckRun(f"predictions.{name}", f"{len(values)} rows", f"there must be {count}")


def _within(name: str, array: NDArray[Any], low: float, high: float) -> None:
    wrong = ~np.isfinite(array) | (array < low) | (array > high)
    if wrong.any():
        position = int(np.argwhere(wrong)[0][0])
        met = f"position {position} holds {array[position]}"
        allowed = (
            f"finite values from {low:g} to {high:g}" if np.isfinite(high) else "finite values"
        )
        raise CheckRun(f"predictions.{name}", met, allowed)
