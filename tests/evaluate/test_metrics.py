"""Metrics against scikit-learn, rouge_score, sacreBLEU and plain counting."""

from __future__ import annotations

import json
import math
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from luthier.core.errors import CheckRun, FixRecipe
from luthier.core.types import Task
from luthier.evaluate import (
    ClassPredictions,
    MaskedPredictions,
    MultilabelPredictions,
    PreferencePredictions,
    SpanPredictions,
    TextPredictions,
    ValuePredictions,
    absent,
    better,
    bootstrap,
    metric,
    metrics_of,
    names_of,
    primary,
)
from luthier.evaluate.measure import chosen
from luthier.evaluate.metrics.rouge import longest_common

WORDS = ["the", "a", "red", "quick", "fox", "jumps", "dogs,", "12", "cats'", "sleep!", "well-made"]


def classes(rows: int, labels: int, seed: int = 0) -> ClassPredictions:
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.ones(labels), rows)
    truth = np.where(rng.random(rows) < 0.5, probabilities.argmax(1), rng.integers(0, labels, rows))
    names = tuple(f"label {i}" for i in range(labels))
    return ClassPredictions(names, truth, probabilities, np.arange(rows))


def texts(rows: int, seed: int) -> TextPredictions:
    rng = random.Random(seed)

    def sentence() -> str:
        return " ".join(rng.choices(WORDS, k=rng.randint(0, 12)))

    truth = [[sentence() for _ in range(rng.randint(1, 3))] for _ in range(rows)]
    given_texts = [sentence() for _ in range(rows - 1)] + [truth[-1][0]]
    return TextPredictions(truth, given_texts, np.arange(rows))


@pytest.mark.parametrize("labels", [2, 3, 40])
def test_classification_equals_scikit_learn(labels: int) -> None:
    p = classes(120, labels)
    guess = p.probabilities.argmax(1)
    found = metrics_of(p)
    assert found["accuracy"] == pytest.approx(sk.accuracy_score(p.truth, guess))
    assert found["macro_f1"] == pytest.approx(sk.f1_score(p.truth, guess, average="macro"))
    assert found["mcc"] == pytest.approx(sk.matthews_corrcoef(p.truth, guess))
    every = list(range(labels))
    assert found["log_loss"] == pytest.approx(sk.log_loss(p.truth, p.probabilities, labels=every))
    one_hot = np.eye(labels)[p.truth]
    brier = ((p.probabilities - one_hot) ** 2).sum(axis=1).mean()
    assert found["brier"] == pytest.approx(brier)


def test_calibration_error_by_hand() -> None:
    probabilities = np.array([[0.95, 0.05], [0.95, 0.05], [0.4, 0.6], [0.0, 1.0]])
    p = ClassPredictions(("a", "b"), np.array([0, 1, 1, 1]), probabilities, np.arange(4))
    # 1.0 and 0.95 share the last bin: |0.95 - 1 + 0.95 - 0 + 1 - 1| / 4 + |0.6 - 1| / 4
    assert metrics_of(p)["ece"] == pytest.approx((0.9 + 0.4) / 4)


def test_multilabel_equals_scikit_learn() -> None:
    rng = np.random.default_rng(1)
    truth, scores = rng.random((90, 6)) < 0.3, rng.random((90, 6))
    truth[:, 5] = False
    p = MultilabelPredictions(tuple("abcdef"), truth, scores, np.arange(90))
    guess, found = scores >= 0.5, metrics_of(p)
    assert found["micro_f1"] == pytest.approx(sk.f1_score(truth, guess, average="micro"))
    assert found["macro_f1"] == pytest.approx(sk.f1_score(truth, guess, average="macro"))
    assert found["exact"] == pytest.approx(sk.accuracy_score(truth, guess))


@pytest.mark.parametrize("shift", [0.0, 1e6])
def test_regression_equals_scikit_learn(shift: float) -> None:
    rng = np.random.default_rng(2)
    truth = rng.normal(size=70) + shift
    values = truth + rng.normal(size=70) * 0.4
    found = metrics_of(ValuePredictions(truth, values, np.arange(70)))
    assert found["mae"] == pytest.approx(sk.mean_absolute_error(truth, values))
    assert found["rmse"] == pytest.approx(sk.root_mean_squared_error(truth, values))
    assert found["r2"] == pytest.approx(sk.r2_score(truth, values), rel=1e-6)


def test_entities_count_exact_spans_with_their_label() -> None:
    truth = [[(0, 4, "PER"), (6, 9, "ORG")], [(1, 2, "LOC")], []]
    spans = [[(0, 4, "PER"), (6, 9, "LOC")], [(1, 3, "LOC")], [(0, 1, "PER")]]
    found = metrics_of(SpanPredictions(truth, spans, np.arange(3)))
    assert found["entity_precision"] == pytest.approx(1 / 4)
    assert found["entity_recall"] == pytest.approx(1 / 3)
    assert found["entity_f1"] == pytest.approx(2 / 7)


def test_rouge_equals_rouge_score() -> None:
    from rouge_score.rouge_scorer import RougeScorer

    scorer = RougeScorer(["rouge1", "rouge2", "rougeL"], use_stemmer=False)
    p = texts(40, 3)
    scores = [scorer.score_multi(r, t) for r, t in zip(p.truth, p.texts, strict=True)]
    found = metrics_of(p)
    for name in ("rouge1", "rouge2", "rougeL"):
        expected = np.mean([row[name].fmeasure for row in scores])
        assert found[name] == pytest.approx(expected, abs=1e-12), name


@pytest.mark.parametrize("seed", range(4))
def test_chrf_equals_sacrebleu(seed: int) -> None:
    from sacrebleu.metrics import CHRF

    p = texts(25, seed)
    streams = [[r[min(i, len(r) - 1)] for r in p.truth] for i in range(3)]
    expected = CHRF().corpus_score(list(p.texts), streams).score
    assert metrics_of(p)["chrf"] == pytest.approx(expected, abs=1e-9)


def test_rouge_reads_other_scripts() -> None:
    p = TextPredictions([["привет мир"]], ["привет, мир!"], np.arange(1))
    assert metrics_of(p)["rouge1"] == 1.0


@given(st.text("abc", max_size=12), st.text("abc", max_size=12))
def test_longest_common_equals_the_table(first: str, second: str) -> None:
    table = [[0] * (len(second) + 1) for _ in range(len(first) + 1)]
    for i, a in enumerate(first):
        for j, b in enumerate(second):
            up = max(table[i][j + 1], table[i + 1][j])
            table[i + 1][j + 1] = table[i][j] + 1 if a == b else up
    assert longest_common(first, second) == table[-1][-1]


def test_exact_match_ignores_outer_space_only() -> None:
    p = TextPredictions([["a b"], ["a b"], ["x", "y"]], [" a b\n", "a  b", "y"], np.arange(3))
    assert metrics_of(p)["exact_match"] == pytest.approx(2 / 3)


def test_losses_without_texts() -> None:
    nats, sizes = np.array([math.log(2) * 8, math.log(2) * 4]), np.array([2, 2])
    p = TextPredictions([], [], np.arange(2), nats, np.array([3, 1]), sizes)
    assert metrics_of(p) == pytest.approx({"bits_per_byte": 3.0, "token_loss": 3 * math.log(2)})
    assert absent(p)["rougeL"] == "no texts were generated"


def test_preferences_count_a_tie_as_half() -> None:
    found = metrics_of(PreferencePredictions(np.array([2.0, -1.0, 0.0, 1.0]), np.arange(4)))
    assert found == {"pair_accuracy": 0.625, "mean_margin": 0.5}


@pytest.mark.parametrize(
    ("predictions", "name", "word"),
    [
        (ValuePredictions(np.full(5, 3.1), np.arange(5.0), np.arange(5)), "r2", "same"),
        (ClassPredictions(("a", "b"), np.zeros(3, int), np.eye(2)[[0, 0, 0]], np.arange(3)),
         "mcc", "one class"),
        (SpanPredictions([[(0, 1, "X")]], [[]], np.arange(1)), "entity_precision", "predicted"),
        (SpanPredictions([[]], [[]], np.arange(1)), "entity_f1", "no spans"),
        (ClassPredictions(("a",), np.zeros(0, int), np.zeros((0, 1)), np.arange(0)),
         "accuracy", "no rows"),
    ],
)  # fmt: skip
def test_undefined_is_absent_with_a_reason(predictions, name: str, word: str) -> None:
    found = metrics_of(predictions)
    assert name not in found
    assert word in absent(predictions)[name]
    json.dumps(found, allow_nan=False)


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 40), st.integers(1, 6), st.integers(0, 10**6))
def test_bounds_and_order_of_rows(rows: int, labels: int, seed: int) -> None:
    p = classes(rows, labels, seed)
    found = metrics_of(p)
    assert 0 <= found["ece"] <= 1
    assert 0 <= found["brier"] <= 2
    assert found.keys().isdisjoint(absent(p))
    order = np.random.default_rng(seed).permutation(rows)
    moved = ClassPredictions(p.labels, p.truth[order], p.probabilities[order], p.rows[order])
    assert metrics_of(moved) == pytest.approx(found, abs=1e-9)


@pytest.mark.parametrize("name", ["accuracy", "macro_f1", "mcc", "ece", "brier", "log_loss"])
def test_weights_act_like_repeated_rows(name: str) -> None:
    p, counts = classes(50, 4), np.random.default_rng(5).integers(0, 4, 50)
    again = np.repeat(np.arange(50), counts)
    repeated = ClassPredictions(
        p.labels, p.truth[again], p.probabilities[again], np.arange(len(again))
    )
    expected = metrics_of(repeated)[name]
    (found,) = chosen(p, [name])
    assert found.value(p, counts.astype(float)) == pytest.approx(expected)


def test_guesses_at_hidden_tokens() -> None:
    nats, tokens = np.array([6.0, 2.0]), np.array([3, 1])
    p = MaskedPredictions(nats, tokens, np.array([2, 0]), np.arange(2))
    assert metrics_of(p) == pytest.approx(
        {"masked_loss": 2.0, "masked_perplexity": math.exp(2), "masked_accuracy": 0.5}
    )
    assert better("masked_loss", 1.0, 2.0) and better("masked_perplexity", 3.0, 4.0)
    assert better("masked_accuracy", 0.5, 0.4)


def test_a_loss_without_a_finite_exponential_has_no_perplexity() -> None:
    p = MaskedPredictions(np.array([900.0]), np.array([1]), np.array([0]), np.arange(1))
    assert metrics_of(p).keys() == {"masked_loss", "masked_accuracy"}


def test_an_interval_over_hidden_tokens_is_over_rows() -> None:
    random = np.random.default_rng(2)
    tokens = random.integers(1, 9, 200)
    right = random.binomial(tokens, 0.4)
    p = MaskedPredictions(tokens * 1.5 + random.random(200), tokens, right, np.arange(200))
    found = bootstrap(p, None, 200, 0)["masked_accuracy"]
    assert found.value == pytest.approx(right.sum() / tokens.sum())
    assert 0.3 < found.low < found.value < found.high < 0.5


def test_raw_text_has_the_metrics_of_its_kind_of_model() -> None:
    assert names_of(Task.ADAPT, masked=True)[0] == "masked_loss"
    assert "bits_per_byte" not in names_of(Task.ADAPT, masked=True)
    assert names_of(Task.ADAPT, masked=False)[0] == "bits_per_byte"
    assert "masked_loss" not in names_of(Task.ADAPT, masked=False)
    assert set(names_of(Task.ADAPT)) == {
        *names_of(Task.ADAPT, masked=True),
        *names_of(Task.ADAPT, masked=False),
    }


def test_each_task_has_a_main_metric_among_its_names() -> None:
    for task in Task:
        assert names_of(task)[0] == primary(task)
        assert task in metric(primary(task)).tasks


def test_better_knows_the_direction() -> None:
    assert better("accuracy", 0.9, 0.8)
    assert better("bits_per_byte", 0.8, 0.9)
    assert not better("rougeL", 0.5, 0.5)


def test_unknown_metric_names_the_nearest() -> None:
    with pytest.raises(FixRecipe, match="did you mean 'macro_f1'"):
        better("macro_f2", 1, 0)


def test_unfit_predictions_are_refused() -> None:
    with pytest.raises(CheckRun, match="sum to one"):
        ClassPredictions(("a", "b"), np.array([0]), np.array([[0.9, 0.9]]), np.arange(1))
    with pytest.raises(CheckRun, match="shape"):
        ValuePredictions(np.zeros(2), np.zeros(3), np.arange(2))
    with pytest.raises(CheckRun, match="nan"):
        ValuePredictions(np.zeros(2), np.array([0, np.nan]), np.arange(2))
    with pytest.raises(CheckRun, match="no reference"):
        TextPredictions([[]], ["x"], np.arange(1))
    with pytest.raises(CheckRun, match="right"):
        MaskedPredictions(np.ones(1), np.array([2]), np.array([3]), np.arange(1))
