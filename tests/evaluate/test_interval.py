"""Bootstrap intervals and paired comparisons."""

from __future__ import annotations

import time

import numpy as np
import pytest
from scipy.stats import binomtest

from luthier.core.errors import CheckRun, FixRecipe
from luthier.evaluate import (
    ClassPredictions,
    Predictions,
    PreferencePredictions,
    SpanPredictions,
    TextPredictions,
    ValuePredictions,
    bootstrap,
    metrics_of,
    paired,
)


def classes(rows: int, labels: int, right: float, seed: int = 0) -> ClassPredictions:
    rng = np.random.default_rng(seed)
    truth = np.random.default_rng(99).integers(0, labels, rows)
    scores = rng.normal(size=(rows, labels))
    scores[np.arange(rows), truth] += np.where(rng.random(rows) < right, 6.0, -6.0)
    powers = np.exp(scores)
    names = tuple(map(str, range(labels)))
    return ClassPredictions(names, truth, powers / powers.sum(1, keepdims=True), np.arange(rows))


def kinds() -> list[Predictions]:
    rng = np.random.default_rng(7)
    rows, numbers = np.arange(30), rng.normal(size=30)
    answers = [f"w{i % 3} w{i % 5}" for i in rows]
    return [
        classes(60, 4, 0.7),
        classes(5, 5, 1.0),
        ValuePredictions(numbers, numbers + rng.normal(size=30), rows),
        SpanPredictions([[(0, 1, "A")]] * 30, [[(0, 1 + i % 2, "A")] for i in rows], rows),
        TextPredictions([["w1 w2"]] * 30, answers, rows, rng.random(30), rows + 1, rows + 2),
        PreferencePredictions(numbers, rows),
    ]


@pytest.mark.parametrize("predictions", kinds(), ids=lambda p: type(p).__name__)
def test_intervals_hold_the_point_and_repeat(predictions: Predictions) -> None:
    found, points = bootstrap(predictions, draws=200), metrics_of(predictions)
    assert found.keys() == points.keys()
    for name, interval in found.items():
        assert interval.value == pytest.approx(points[name], abs=1e-9)
        assert np.isfinite([interval.low, interval.high]).all()
        assert interval.low <= interval.value <= interval.high
    assert found == bootstrap(predictions, draws=200)


def test_interval_of_a_mean_is_near_the_normal_one() -> None:
    p = classes(400, 3, 0.8)
    found = bootstrap(p, ["accuracy"], draws=4000)["accuracy"]
    half = 1.96 * np.sqrt(found.value * (1 - found.value) / 400)
    assert found.high - found.low == pytest.approx(2 * half, rel=0.08)


def test_order_of_rows_does_not_matter() -> None:
    p, order = classes(80, 4, 0.6), np.random.default_rng(3).permutation(80)
    moved = ClassPredictions(p.labels, p.truth[order], p.probabilities[order], p.rows[order])
    for name, interval in bootstrap(p, draws=200).items():
        other = bootstrap(moved, draws=200)[name]
        assert (other.low, other.high) == pytest.approx((interval.low, interval.high), abs=1e-9)


def test_predictions_of_one_row_are_drawn_together() -> None:
    margins = np.repeat(np.array([1.0, -1.0] * 20), 25)
    alone = bootstrap(PreferencePredictions(margins, np.arange(1000)), ["pair_accuracy"])
    grouped = bootstrap(
        PreferencePredictions(margins, np.repeat(np.arange(40), 25)), ["pair_accuracy"]
    )
    wide, narrow = grouped["pair_accuracy"], alone["pair_accuracy"]
    assert wide.value == narrow.value
    assert (wide.high - wide.low) > 3 * (narrow.high - narrow.low)


def test_blocks_bound_memory_without_changing_the_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    p = classes(50, 3, 0.7)
    whole = bootstrap(p, draws=100)
    monkeypatch.setattr("luthier.evaluate.interval.CELLS", 130)
    assert bootstrap(p, draws=100) == whole


def test_accuracy_is_compared_by_the_exact_test() -> None:
    base, tuned = classes(200, 4, 0.5, 1), classes(200, 4, 0.8, 2)
    found = paired(base, tuned, draws=300)["accuracy"]
    old = base.probabilities.argmax(1) == base.truth
    new = tuned.probabilities.argmax(1) == tuned.truth
    gained, lost = int((new & ~old).sum()), int((old & ~new).sum())
    assert found.test == "McNemar exact"
    assert found.p_value == pytest.approx(binomtest(gained, gained + lost).pvalue)
    assert found.difference.value == pytest.approx(new.mean() - old.mean())
    assert found.difference.low > 0


def test_a_model_against_itself_is_no_difference() -> None:
    p = classes(60, 4, 0.7)
    for comparison in paired(p, p, draws=100).values():
        assert comparison.difference.low == comparison.difference.high == 0
        assert comparison.p_value == 1


def test_swapping_the_models_flips_the_difference() -> None:
    a, b = classes(100, 4, 0.5, 1), classes(100, 4, 0.7, 2)
    there, back = paired(a, b, draws=200), paired(b, a, draws=200)
    for name, comparison in there.items():
        assert comparison.difference.value == pytest.approx(-back[name].difference.value)
        assert comparison.difference.low == pytest.approx(-back[name].difference.high)
        assert comparison.p_value == pytest.approx(back[name].p_value)


def test_ties_fall_back_to_the_bootstrap() -> None:
    rows = np.arange(10)
    base = PreferencePredictions(np.zeros(10), rows)
    found = paired(base, PreferencePredictions(np.ones(10), rows), draws=100)["pair_accuracy"]
    assert (found.test, found.base, found.tuned) == ("paired bootstrap", 0.5, 1.0)
    assert found.p_value == pytest.approx(2 / 101)


def test_aligned_by_row_number() -> None:
    base, order = classes(50, 3, 0.6), np.arange(50)[::-1]
    flipped = ClassPredictions(
        base.labels, base.truth[order], base.probabilities[order], base.rows[order]
    )
    assert paired(base, flipped, ["accuracy"], draws=50)["accuracy"].p_value == 1


def test_other_rows_other_kind_other_labels_are_refused() -> None:
    base = classes(20, 3, 0.6)
    moved = ClassPredictions(base.labels, base.truth, base.probabilities, base.rows + 1)
    with pytest.raises(CheckRun, match="same rows"):
        paired(base, moved)
    with pytest.raises(CheckRun, match="same kind"):
        paired(base, PreferencePredictions(np.zeros(20), base.rows))
    renamed = ClassPredictions(("x", "y", "z"), base.truth, base.probabilities, base.rows)
    with pytest.raises(CheckRun, match="label lists"):
        paired(base, renamed)


def test_unknown_metric_is_refused() -> None:
    with pytest.raises(FixRecipe, match="accuracy"):
        bootstrap(classes(5, 2, 0.5), ["acuracy"])


def test_thousand_draws_of_five_thousand_rows_are_quick() -> None:
    p = classes(5000, 151, 0.7)
    start = time.process_time()
    bootstrap(p)
    assert time.process_time() - start < 3
