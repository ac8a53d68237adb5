"""Every query passes the same table: what it may give back, whatever the pool."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luthier.fewshot.asking.compose import QUERIES
from luthier.fewshot.query import UNKNOWN, Standing


def standing(rows: int, classes: int, labelled: int, skipped: int, seed: int) -> Standing:
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(rows, 8)).astype(np.float32)
    raw = rng.exponential(size=(rows, classes))
    truth = np.full(rows, UNKNOWN)
    order = rng.permutation(rows)
    truth[order[:labelled]] = rng.integers(0, classes, len(order[:labelled]))
    closed = np.zeros(rows, bool)
    closed[order[labelled : labelled + skipped]] = True
    return Standing(vectors, raw / raw.sum(1, keepdims=True), truth, closed, seed)


@pytest.mark.parametrize("name", QUERIES)
@settings(max_examples=30, deadline=None)
@given(
    rows=st.integers(1, 40),
    classes=st.integers(1, 6),
    labelled=st.integers(0, 40),
    skipped=st.integers(0, 10),
    count=st.integers(0, 60),
    seed=st.integers(0, 1000),
)
def test_gives_different_open_rows_the_same_each_time(
    name: str, rows: int, classes: int, labelled: int, skipped: int, count: int, seed: int
) -> None:
    given_ = standing(rows, classes, labelled, skipped, seed)
    asked = QUERIES[name].ask(given_, count).tolist()
    assert len(asked) <= count
    assert len(set(asked)) == len(asked)
    assert set(asked) <= set(given_.open.tolist())
    again = QUERIES[name].ask(standing(rows, classes, labelled, skipped, seed), count)
    assert again.tolist() == asked


@pytest.mark.parametrize("name", [n for n in QUERIES if n != "rare"])
def test_gives_the_whole_pool_when_asked_for_more(name: str) -> None:
    given_ = standing(30, 3, 7, 3, 0)
    assert sorted(QUERIES[name].ask(given_, 500).tolist()) == given_.open.tolist()


@pytest.mark.parametrize("name", ["margin", "balanced", "rare"])
def test_copies_come_last(name: str) -> None:
    given_ = standing(20, 2, 0, 0, 1)
    vectors = given_.vectors.copy()
    vectors[10:] = vectors[:10]
    doubled = Standing(vectors, np.tile(given_.chances[:10], (2, 1)), given_.truth, given_.closed)
    asked = QUERIES[name].ask(doubled, 10)
    assert len(set((asked % 10).tolist())) == 10, "no text is asked twice while others are left"
