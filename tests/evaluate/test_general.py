"""The fixed text of the forgetting check, and the rows answered worst."""

from __future__ import annotations

import hashlib
import json
import math

import numpy as np
import pytest

from luthier.core.errors import CheckRun
from luthier.evaluate import (
    ClassPredictions,
    MaskedPredictions,
    MultilabelPredictions,
    Predictions,
    PreferencePredictions,
    SpanPredictions,
    TextPredictions,
    ValuePredictions,
    metrics_of,
)
from luthier.evaluate.general import (
    bits_per_byte,
    general_paragraphs,
    general_predictions,
    general_text,
)
from luthier.evaluate.worst import worst


def test_the_text_never_changes() -> None:
    digest = hashlib.sha256(general_text().encode()).hexdigest()
    assert digest == "b6cea6bb33e4bd310ca66faefbb2093bae669fc16d240e74c0261520ab172153"


def test_paragraphs_are_whole_and_on_one_line() -> None:
    paragraphs = general_paragraphs()
    assert len(paragraphs) == 24
    assert all("\n" not in p and p[-1] in '."?' for p in paragraphs)
    assert 10_000 < sum(len(p.encode()) for p in paragraphs) < 14_000


def test_bits_per_byte_of_a_fair_coin() -> None:
    assert bits_per_byte(16 * math.log(2), 16) == pytest.approx(1.0)
    with pytest.raises(CheckRun):
        bits_per_byte(1.0, 0)
    with pytest.raises(CheckRun):
        bits_per_byte(math.nan, 3)


def test_general_predictions_agree_with_the_arithmetic() -> None:
    sizes = [len(p.encode()) for p in general_paragraphs()]
    nats = np.linspace(50, 300, len(sizes))
    found = metrics_of(general_predictions(nats, np.full(len(sizes), 9)))
    assert found["bits_per_byte"] == pytest.approx(bits_per_byte(nats.sum(), sum(sizes)))
    with pytest.raises(CheckRun):
        general_predictions(nats[:-1], np.full(len(sizes) - 1, 9))


def test_most_confident_errors_come_first() -> None:
    probabilities = np.array([[0.6, 0.4], [0.1, 0.9], [0.2, 0.8], [0.3, 0.7]])
    p = ClassPredictions(("a", "b"), np.array([1, 0, 1, 0]), probabilities, np.arange(10, 14))
    found = worst(p)
    assert [e["row"] for e in found] == [11, 13, 10]
    assert found[0] == {
        "row": 11, "index": 1, "truth": "a", "predicted": "b", "score": 0.9,
        "measure": "confidence",
    }  # fmt: skip


ROWS = np.arange(1, 4)


@pytest.mark.parametrize(
    ("predictions", "rows"),
    [
        (MultilabelPredictions(("a", "b"), np.eye(3, 2) > 0, np.array([[0.0, 1], [0, 1], [1, 0]]),
                               ROWS), [1, 3]),
        (ValuePredictions(np.zeros(3), np.array([1.0, 0.0, -5.0]), ROWS), [3, 1]),
        (SpanPredictions([[(0, 1, "X")], [], []], [[], [], [(0, 1, "X"), (2, 3, "Y")]], ROWS),
         [3, 1]),
        (TextPredictions([["a b"], ["c"], ["d"]], ["a b", "x", "d e"], ROWS), [2, 3]),
        (TextPredictions([], [], ROWS, np.array([2.0, 9.0, 0.0]), np.array([2, 3, 0])), [2, 1]),
        (MaskedPredictions(np.array([2.0, 0.0, 9.0]), np.array([2, 1, 3]), np.zeros(3, int), ROWS),
         [3, 1]),
        (PreferencePredictions(np.array([-1.0, 2.0, -3.0]), ROWS), [3, 1]),
    ],
)  # fmt: skip
def test_worst_rows_of_each_kind(predictions: Predictions, rows: list[int]) -> None:
    found = worst(predictions)
    assert [e["row"] for e in found] == rows
    assert [int(predictions.rows[e["index"]]) for e in found] == rows
    assert len(worst(predictions, 1)) == 1
    json.dumps(found, allow_nan=False)


def test_nothing_is_worst_among_no_rows() -> None:
    assert worst(PreferencePredictions(np.zeros(0), np.zeros(0, int))) == []
