"""Erased vectors tell a linear reader nothing of the words, and the output layer reads them so."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from luthier.explain.bias.erasure import erasure_of


def _vectors(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Carriers that differ much, and words that move them by a little, linearly."""
    dice = np.random.default_rng(seed)
    carriers, words = np.repeat(np.arange(60), 5), np.tile(np.arange(5), 60)
    moves = dice.normal(0, 1, (5, 16))
    vectors = dice.normal(0, 3, (60, 16))[carriers] + moves[words] + dice.normal(0, 0.3, (300, 16))
    plain = dice.normal(0, 3, (100, 16))
    return (
        np.concatenate([vectors, plain]),
        np.concatenate([carriers, np.arange(100, 200)]),
        np.concatenate([words, np.full(100, -1)]),
    )


def test_within_carriers_nothing_of_the_word_is_left() -> None:
    vectors, carriers, words = _vectors()
    found = erasure_of(vectors, carriers, words)
    assert found.left.shape == (16, 4)
    named = words >= 0
    inner, group = found.of(vectors)[named], carriers[named]
    apart = inner - np.stack([inner[group == g].mean(0) for g in range(60)])[group]
    told = np.eye(5)[words[named]] - 0.2
    assert np.abs(apart.T @ told / named.sum()).max() < 1e-10
    # Before, a reader tells the words apart; afterwards it is as good as chance.
    fit = LogisticRegression(max_iter=2000).fit
    old = vectors[named] - np.stack([vectors[named][group == g].mean(0) for g in range(60)])[group]
    assert fit(old, words[named]).score(old, words[named]) > 0.9
    assert fit(apart, words[named]).score(apart, words[named]) < 0.35


def test_erasing_twice_is_erasing_once_and_no_word_changes_nothing() -> None:
    vectors, carriers, words = _vectors(1)
    found = erasure_of(vectors, carriers, words)
    once = found.of(vectors)
    assert np.allclose(found.of(once), once)
    none = erasure_of(vectors, carriers, np.full(len(words), -1))
    assert none.left.shape == (16, 0) and np.allclose(none.of(vectors), vectors)


def test_a_layer_that_took_the_map_in_reads_raw_vectors_as_it_read_erased_ones() -> None:
    vectors, carriers, words = _vectors(2)
    found = erasure_of(vectors, carriers, words)
    dice = np.random.default_rng(3)
    weight, bias = dice.normal(0, 1, (3, 16)), dice.normal(0, 1, 3)
    merged, shifted = found.merged(weight, bias)
    assert np.allclose(vectors @ merged.T + shifted, found.of(vectors) @ weight.T + bias)


def test_fewer_texts_than_numbers_in_a_vector_are_enough() -> None:
    vectors, carriers, words = _vectors(4)
    wide = np.concatenate([vectors[:40], np.zeros((40, 60))], 1)
    found = erasure_of(wide, carriers[:40], words[:40])
    assert np.isfinite(found.of(wide)).all()


def test_it_is_the_published_map_where_all_texts_have_one_carrier() -> None:
    leace = pytest.importorskip("concept_erasure", reason="the reference is not installed")
    import torch

    vectors, _, words = _vectors(5)
    named = words >= 0
    given, told = vectors[named], np.eye(5)[words[named]]
    theirs = leace.LeaceEraser.fit(torch.from_numpy(given), torch.from_numpy(told), shrinkage=False)
    ours = erasure_of(given, np.zeros(len(given), np.int64), words[named])
    assert np.allclose(ours.of(given), theirs(torch.from_numpy(given)).numpy(), atol=1e-4)
