"""Every pick passes the same table: different rows, the same again, and what it is good at."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luthier.core.errors import CheckRun
from luthier.fewshot.pick import Candidates, Pick
from luthier.fewshot.picks.family import PICKS


def candidates(rows: int, seed: int = 0, wanted: int = 4) -> Candidates:
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(rows, 6)).astype(np.float32)
    gradients = rng.normal(size=(rows, 8)).astype(np.float32)
    asked = rng.normal(size=(wanted, 8)).astype(np.float32) + 1
    return Candidates(vectors, gradients, rng.exponential(size=rows), asked, seed)


@pytest.fixture(params=PICKS.values(), ids=PICKS)
def pick(request: pytest.FixtureRequest) -> Pick:
    """Each pick in turn."""
    found: Pick = request.param
    return found


@pytest.mark.parametrize("name", PICKS)
@settings(max_examples=25, deadline=None)
@given(rows=st.integers(1, 40), count=st.integers(0, 50), seed=st.integers(0, 1000))
def test_different_rows_and_the_same_again(name: str, rows: int, count: int, seed: int) -> None:
    first, second = (PICKS[name].order(candidates(rows, seed), count) for _ in range(2))
    assert first.tolist() == second.tolist()
    assert len(first) == min(rows, count) == len(set(first.tolist()))
    assert set(first.tolist()) <= set(range(rows))


def test_only_what_it_reads_matters(pick: Pick) -> None:
    whole = candidates(30)
    blank = np.zeros((30, 0), np.float32)
    part = Candidates(
        whole.vectors if "vectors" in pick.reads else blank,
        whole.gradients if "gradients" in pick.reads else blank,
        whole.losses if "losses" in pick.reads else np.zeros(30),
        whole.wanted if "gradients" in pick.reads else blank[:0],
    )
    assert pick.order(part, 10).tolist() == pick.order(whole, 10).tolist()


def test_without_validation_rows_there_is_still_a_choice(pick: Pick) -> None:
    assert len(set(pick.order(candidates(20, wanted=0), 5).tolist())) == 5


def test_rows_that_stand_for_all_come_from_every_heap() -> None:
    heaps = np.repeat(np.eye(5, dtype=np.float32), 20, axis=0)
    whole = candidates(100)
    given_ = Candidates(heaps, whole.gradients, np.zeros(100), whole.wanted)
    assert {int(i) // 20 for i in PICKS["diverse"].order(given_, 5)} == set(range(5))


def test_the_gradient_of_the_validation_rows_is_followed() -> None:
    whole = candidates(50)
    found = PICKS["gradient"].order(whole, 10)
    rest = np.setdiff1d(np.arange(50), found)
    assert whole.agreement[found].min() >= whole.agreement[rest].max()


def test_joint_takes_no_row_that_is_bad_in_both() -> None:
    whole = candidates(60)
    score = whole.agreement.argsort().argsort() - whole.losses.argsort().argsort()
    worst = set(np.argsort(score)[:20].tolist())
    assert not worst & set(PICKS["joint"].order(whole, 10).tolist())


def test_shapes_that_do_not_agree_are_refused() -> None:
    whole = candidates(10)
    with pytest.raises(CheckRun, match=r"candidates\.losses"):
        Candidates(whole.vectors, whole.gradients, whole.losses[:3], whole.wanted)
    with pytest.raises(CheckRun, match=r"candidates\.wanted"):
        Candidates(whole.vectors, whole.gradients, whole.losses, whole.wanted[:, :2])
