"""Baselines: what little effort achieves."""

from __future__ import annotations

import numpy as np
import pytest

from luthier.core.errors import FixData
from luthier.evaluate import metrics_of
from luthier.evaluate.baseline import LabelNames, Lexical, LinearProbe, MajorityClass, humanise

LABELS = ("lost_card", "exchange_rate", "never_seen")
TEXTS = [
    "my card is lost",
    "somebody took my card",
    "the card was stolen",
    "lost the bank card",
    "what is the exchange rate",
    "rate for euros today",
    "exchange rate of dollars",
    "currency rate",
]
TRUTH = np.array([0, 0, 0, 0, 1, 1, 1, 1])


def clouds(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 2, rows)
    return rng.normal(size=(rows, 5)) + 3 * truth[:, None], truth


def test_majority_gives_training_frequencies() -> None:
    model = MajorityClass.fit(LABELS, np.array([1, 1, 1, 0]))
    p = model.predict(np.array([0, 1]), np.array([7, 9]))
    assert p.probabilities.tolist() == [[0.25, 0.75, 0.0]] * 2
    assert metrics_of(p)["accuracy"] == 0.5


def test_probe_separates_what_is_linear() -> None:
    model = LinearProbe.fit(LABELS, clouds(80, 0), clouds(40, 1))
    features, truth = clouds(60, 2)
    p = model.predict(features, truth, np.arange(60))
    assert metrics_of(p)["accuracy"] > 0.95
    assert np.all(p.probabilities[:, 2] == 0)


def test_probe_without_validation_and_with_a_constant_feature() -> None:
    features, truth = clouds(50, 0)
    features[:, 0] = 1.0
    model = LinearProbe.fit(LABELS, (features, truth), (features[:0], truth[:0]))
    assert metrics_of(model.predict(features, truth, np.arange(50)))["accuracy"] > 0.9


def test_probe_gives_no_weight_to_the_rounding_noise_of_a_constant_feature() -> None:
    features, truth = clouds(200, 0)
    features[:, 0] = 1e-9 * features[:, 0]
    model = LinearProbe.fit(LABELS, (features, truth), (features[:0], truth[:0]))
    weights, _ = model.linear()
    assert np.abs(weights).max() < 100
    assert metrics_of(model.predict(features, truth, np.arange(200)))["accuracy"] > 0.9


@pytest.mark.parametrize("classes", [2, 4])
def test_probe_as_one_layer_gives_the_same_probabilities(classes: int) -> None:
    rng = np.random.default_rng(4)
    truth = np.arange(60) % classes
    features = rng.normal(size=(60, 6)) * 5 + 7 + truth[:, None]
    labels = tuple(f"label {i}" for i in range(classes + 1))
    model = LinearProbe.fit(labels, (features, truth), (features[:0], truth[:0]))
    weights, biases = model.linear()
    scores = features @ weights.T + biases
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))[:, :classes]
    expected = model.predict(features, truth, np.arange(60)).probabilities
    found = powers / powers.sum(axis=1, keepdims=True)
    # The probe is fitted in single precision.
    assert found == pytest.approx(expected[:, :classes], abs=1e-6)
    assert biases[classes] < biases[:classes].min()


def test_training_starts_from_the_gentlest_fit_within_an_error_of_the_best() -> None:
    features, truth = clouds(200, 0)
    checked = clouds(40, 1)
    model = LinearProbe.fit(LABELS, (features, truth), checked)
    best, start = model.linear()[0], model.linear(start=True)[0]
    assert np.abs(start[:2]).max() <= np.abs(best[:2]).max()

    def accuracy(layer: tuple[np.ndarray, np.ndarray]) -> float:
        answers = (checked[0] @ layer[0].T + layer[1]).argmax(1)
        return float((answers == checked[1]).mean())

    reached = accuracy(model.linear())
    error = np.sqrt(reached * (1 - reached) / 40)
    assert accuracy(model.linear(start=True)) >= reached - error


def test_lexical_learns_words() -> None:
    model = Lexical.fit(LABELS, (TEXTS, TRUTH), (TEXTS[:2], TRUTH[:2]))
    p = model.predict(["a lost card", "the dollar rate"], np.array([0, 1]), np.arange(2))
    assert metrics_of(p)["accuracy"] == 1.0


def test_lexical_refuses_texts_without_words() -> None:
    with pytest.raises(FixData, match="no word"):
        Lexical.fit(LABELS, (["", " "], np.array([0, 1])), ([], np.zeros(0, int)))


@pytest.mark.parametrize("family", [LinearProbe, Lexical])
def test_one_class_is_refused(family) -> None:
    inputs = np.ones((3, 2)) if family is LinearProbe else ["a b", "c", "d"]
    with pytest.raises(FixData, match="at least 2"):
        family.fit(LABELS, (inputs, np.zeros(3, int)), (inputs, np.zeros(3, int)))


def test_label_names_pick_the_closest_whatever_the_length() -> None:
    model = LabelNames(("a", "b"), np.array([[1.0, 0.0], [0.0, 5.0]]))
    texts = np.array([[10.0, 1.0], [0.1, 0.2], [0.0, 0.0]])
    p = model.predict(texts, np.array([0, 1, 0]), np.arange(3))
    assert p.probabilities[:2].argmax(1).tolist() == [0, 1]
    assert p.probabilities[2].tolist() == [0.5, 0.5]


@pytest.mark.parametrize(
    ("label", "words"),
    [("card_arrival", "card arrival"), ("lostCard", "lost card"), ("HIV", "hiv"), ("a--b ", "a b")],
)
def test_label_names_become_words(label: str, words: str) -> None:
    assert humanise(label) == words
