"""What more labels would bring: nested parts of the rows, and a curve through them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from fewshot_rows import known
from luthier.fewshot.folds import cut_of
from luthier.fewshot.outlook import outlook, part_of
from luthier.fewshot.regression import regress
from luthier.fewshot.rungs.blends import Stacked
from luthier.fewshot.rungs.lexical import LexicalRung


def test_parts_are_nested_and_keep_the_shares_of_the_classes() -> None:
    given = known(20)
    fold = cut_of(given).folds[0]
    parts = [part_of(given, fold, share) for share in (0.125, 0.25, 0.5, 1.0)]
    for small, large in itertools.pairwise(parts):
        assert set(small) < set(large)
    assert list(parts[-1]) == list(fold.learn)
    counts = np.bincount(given.truth[parts[2]])
    assert counts.max() - counts.min() <= 1


def test_the_curve_rises_with_the_labels_and_is_sure_where_rows_are_easy() -> None:
    found = outlook(known(30), Stacked())
    assert found is not None and list(found.sizes) == sorted(found.sizes)
    assert found.accuracy[-1] >= found.accuracy[0] - 0.05
    now, later = found.curve.at(90), found.curve.at(360)
    assert later.value >= now.value - 1e-9 and later.high - later.low >= now.high - now.low - 1e-9


def test_hard_rows_promise_less() -> None:
    easy, hard = known(15), known(15)
    mixed = np.random.default_rng(3).permutation(hard.truth)
    object.__setattr__(hard, "truth", mixed)
    ends = [outlook(given, LexicalRung()) for given in (easy, hard)]
    assert ends[0] is not None and ends[1] is not None
    assert ends[0].curve.at(180).low > ends[1].curve.at(180).value


def test_few_rows_have_no_curve() -> None:
    assert outlook(known(4), Stacked()) is None


@pytest.mark.parametrize("classes", [2, 4])
def test_wide_rows_are_fitted_on_their_own_axes_with_the_same_answer(classes: int) -> None:
    random = np.random.default_rng(5)
    wide = sparse.random(30, 400, 0.1, random_state=7, format="csr")
    truth = np.arange(30) % classes
    counts = random.uniform(0.2, 2.0, 30)
    weights, biases = regress(wide, truth, counts, classes, 10.0)
    plain = LogisticRegression(C=10.0, max_iter=400, tol=1e-4).fit(wide, truth, counts)
    ours = wide @ weights.T + biases
    theirs = plain.decision_function(wide)
    ours = ours[:, 1] - ours[:, 0] if classes == 2 else ours - ours.mean(axis=1, keepdims=True)
    theirs = theirs if classes == 2 else theirs - theirs.mean(axis=1, keepdims=True)
    assert np.abs(ours - theirs).max() < 1e-6
