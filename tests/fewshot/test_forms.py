"""The forms of few-shot classifiers against scikit-learn, and their parts against each other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import normalize

from fewshot_rows import asked
from luthier.core.errors import CheckRun, FixData
from luthier.fewshot.forms.blend import Blend, adjusted, joined
from luthier.fewshot.forms.layer import Layer
from luthier.fewshot.forms.lexical import Lexical, Terms, terms
from luthier.fewshot.keeping import load, save
from luthier.fewshot.regression import regress
from luthier.fewshot.rung import Asked
from luthier.fewshot.rungs.blends import powers_of

TEXTS = [
    "My card is LOST, my new card too!",
    "What rate has the loan",
    "rain rain rain tomorrow",
    "le prêt coûte 3,5 % — naïve",
    "",
]


def _only(mark: str, text: str) -> Sequence[str]:
    return [term for term in terms(text) if term[0] == mark]


@pytest.mark.parametrize("mark", ["w", "c"])
def test_weights_equal_those_of_scikit_learn(mark: str) -> None:
    reference = TfidfVectorizer(analyzer=lambda text: _only(mark, text), sublinear_tf=True)
    wanted = reference.fit_transform(TEXTS).toarray()
    found = Terms.fit(TEXTS)
    weights = found.weigh(TEXTS).toarray()
    for column, name in enumerate(reference.get_feature_names_out()):
        np.testing.assert_allclose(
            weights[:, found.names.index(name)], wanted[:, column], atol=1e-12
        )


def test_words_and_pairs_are_those_of_scikit_learn() -> None:
    reference = TfidfVectorizer(ngram_range=(1, 2), token_pattern=r"(?u)\b\w+\b")
    reference.fit(TEXTS)
    mine = {term[1:] for text in TEXTS for term in _only("w", text)}
    assert mine == set(reference.get_feature_names_out())


@given(st.lists(st.text(max_size=40), min_size=1, max_size=6))
@settings(max_examples=60, deadline=None)
def test_any_texts_can_be_weighed(texts: list[str]) -> None:
    found = Terms.fit(texts)
    weights = found.weigh(texts).toarray()
    lengths = np.sqrt((weights**2).sum(axis=1))
    assert np.isfinite(weights).all()
    # Words and characters have length one each, where there are any.
    assert all(round(float(length**2), 6) in (0, 1, 2) for length in lengths)


def test_a_weighted_row_counts_as_often_as_it_weighs() -> None:
    rows, truth = asked(6, 0)
    features = normalize(rows.vectors)
    counts = np.ones(len(truth))
    counts[0] = 2
    twice = np.concatenate([features, features[:1]])
    weighed = regress(features, truth, counts, 3, 1.0)
    repeated = regress(twice, np.append(truth, truth[0]), np.ones(len(twice)), 3, 1.0)
    np.testing.assert_allclose(weighed[0], repeated[0], atol=1e-3)


def test_one_class_alone_is_refused() -> None:
    with pytest.raises(FixData, match="all rows have one class"):
        regress(np.eye(3), np.zeros(3, int), np.ones(3), 2, 1.0)


def test_a_blend_of_one_is_that_one() -> None:
    one = np.array([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8]])
    for how in ("mean", "scaled", "powers"):
        np.testing.assert_allclose(joined([one], how, np.ones(1)), one, atol=1e-9)


def test_temperature_one_and_no_shift_change_nothing() -> None:
    chances = np.array([[0.6, 0.3, 0.1], [0.2, 0.2, 0.6]])
    np.testing.assert_allclose(adjusted(chances, 1.0, np.zeros(3)), chances, atol=1e-9)
    assert adjusted(chances, 3.0, np.zeros(3))[0, 0] < 0.6
    assert adjusted(chances, 1.0, np.array([0, 2.0, 0]))[0].argmax() == 1


def test_powers_prefer_the_member_that_knows() -> None:
    truth = np.tile(np.arange(3), 40)
    right = np.full((120, 3), 0.1)
    right[np.arange(120), truth] = 0.8
    idle = np.random.default_rng(0).dirichlet(np.ones(3), 120)
    found = powers_of([idle, right], truth, np.ones(2))
    assert found[1] > 2 * found[0]
    assert (found >= 0).all()


def test_vectors_and_texts_must_agree() -> None:
    with pytest.raises(CheckRun, match="one vector for each text"):
        Asked(["a", "b"], np.zeros((3, 2)))


def test_an_output_layer_answers_as_the_network_does_and_is_read_back(tmp_path: Path) -> None:
    import torch

    torch.manual_seed(0)
    network, vectors = torch.nn.Linear(5, 3), torch.randn(7, 5)
    wanted = torch.softmax(network(vectors), -1).detach().numpy()
    weights, bias = (network.state_dict()[n].double().numpy() for n in ("weight", "bias"))
    rows = Asked(["some words"] * 7, vectors.double().numpy())
    lexical = Lexical.fit(["lost card", "rain", "rate"], np.arange(3), np.ones(3), 3, 1.0)
    made = Blend([Layer(weights, bias), lexical], "powers", np.asarray([1.0, 0.0]))
    np.testing.assert_allclose(made.probabilities(rows), wanted, atol=1e-6)
    save(made, tmp_path)
    np.testing.assert_allclose(load(tmp_path).probabilities(rows), wanted, atol=1e-5)
