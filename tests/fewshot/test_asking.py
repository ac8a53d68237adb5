"""What queries prefer, how batches are put together, and when to stop."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from luthier.core.errors import CheckRun, FixRecipe
from luthier.core.types import Interval
from luthier.fewshot.asking.clusters import clusters
from luthier.fewshot.asking.compose import STRATEGIES, batch_size, compose
from luthier.fewshot.asking.stopping import advise, kappa, measured
from luthier.fewshot.queries.balanced import Balanced
from luthier.fewshot.queries.coverage import Coverage
from luthier.fewshot.queries.margin import Margin
from luthier.fewshot.queries.rare import Rare
from luthier.fewshot.query import UNKNOWN, Standing

FOUR = np.repeat(np.eye(4, 8), 25, axis=0)
"""Four far groups of 25 rows."""


def pool(labelled: dict[int, int] | None = None, classes: int = 4, seed: int = 0) -> Standing:
    rng = np.random.default_rng(seed)
    vectors = FOUR + 0.05 * rng.normal(size=FOUR.shape)
    raw = rng.exponential(size=(len(vectors), classes))
    truth = np.full(len(vectors), UNKNOWN)
    for row, label in (labelled or {}).items():
        truth[row] = label
    closed = np.zeros(len(vectors), bool)
    return Standing(vectors, raw / raw.sum(1, keepdims=True), truth, closed, seed)


def test_clusters_are_the_groups() -> None:
    given_ = pool()
    member = clusters(given_.unit, 4, np.random.default_rng(0))
    groups = member.reshape(4, 25)
    assert all(len(set(group.tolist())) == 1 for group in groups)
    assert len(set(groups[:, 0].tolist())) == 4


def test_clusters_of_equal_rows_end() -> None:
    member = clusters(np.ones((6, 3), np.float32), 3, np.random.default_rng(0))
    assert member.shape == (6,)


def test_coverage_takes_groups_without_a_label_first() -> None:
    asked = Coverage().ask(pool({0: 0, 1: 0, 30: 1, 31: 1}), 2)
    assert set((asked // 25).tolist()) <= {2, 3}, "two groups have no label yet"


def test_margin_takes_the_most_doubtful() -> None:
    given_ = pool()
    asked = Margin().ask(given_, 5)
    lead = np.sort(given_.chances, axis=1)
    least = np.argsort(lead[:, -1] - lead[:, -2])
    assert asked[0] == least[0]


def test_balanced_gives_every_class_its_turn() -> None:
    given_ = pool()
    # Class 0 is doubted everywhere; the others are answered surely, and once each.
    chances = np.tile([0.3, 0.25, 0.25, 0.2], (100, 1))
    for place, row in ((1, 30), (2, 55), (3, 80)):
        chances[row] = 0.02
        chances[row, place] = 0.94
    asked = Balanced().ask(replace(given_, chances=chances), 4)
    assert {30, 55, 80} <= set(asked.tolist())
    assert not {30, 55, 80} & set(Margin().ask(replace(given_, chances=chances), 4).tolist())


def test_rare_hunts_only_classes_with_few_labels() -> None:
    known = dict.fromkeys(range(8), 0) | dict.fromkeys(range(25, 33), 1) | {50: 2}
    given_ = pool(known)
    asked = Rare().ask(given_, 2).tolist()
    open_ = given_.open
    assert asked[0] == open_[given_.chances[open_, 3].argmax()]
    full = {row: row % 4 for row in range(60)}
    assert len(Rare().ask(pool(full), 5)) == 0


def test_labels_from_elsewhere_count() -> None:
    given_ = replace(pool(), before=np.array([8, 8, 8, 3]))
    assert given_.counts.tolist() == [8, 8, 8, 3]
    assert Rare().ask(given_, 1)[0] == given_.chances[:, 3].argmax()
    assert "coverage" not in {q.quota for q in compose(given_, 20)}


def test_a_standing_of_other_shapes_is_refused() -> None:
    given_ = pool()
    with pytest.raises(CheckRun, match="99 rows"):
        replace(given_, truth=given_.truth[1:])
    with pytest.raises(CheckRun, match="no class"):
        replace(given_, truth=np.full(100, 4))


@settings(max_examples=40, deadline=None)
@given(
    strategy=st.sampled_from(STRATEGIES), size=st.integers(1, 120), labels=st.integers(0, 60),
    seed=st.integers(0, 50),
)  # fmt: skip
def test_a_batch_holds_different_open_rows_and_its_honest_share(
    strategy: str, size: int, labels: int, seed: int
) -> None:
    given_ = pool({row: row % 4 for row in range(labels)}, seed=seed)
    batch = compose(given_, size, strategy)
    places = [q.place for q in batch]
    wanted = min(size, len(given_.open))
    assert len(places) == len(set(places)) == wanted
    assert set(places) <= set(given_.open.tolist())
    by_lot = sum(q.quota == "random" for q in batch)
    assert by_lot >= min(math.ceil(0.2 * size), wanted)


def test_classes_are_asked_in_turn_first_and_then_by_doubt_alone() -> None:
    def quotas(labels: int) -> set[str]:
        given_ = pool({row: row % 4 for row in range(labels)})
        return {q.quota for q in compose(given_, 20)} - {"random"}

    assert quotas(2) == {"coverage"}
    assert quotas(6) == {"balanced"}
    assert quotas(12) == {"margin"}


def test_fewer_rows_are_drawn_by_lot_once_there_are_enough() -> None:
    vectors = np.random.default_rng(0).normal(size=(900, 4))
    truth = np.full(900, UNKNOWN)
    truth[:400] = np.arange(400) % 2
    given_ = Standing(vectors, np.full((900, 2), 0.5), truth, np.zeros(900, bool), 0)
    lots = [q for q in compose(given_, 100) if q.quota == "random"]
    assert len(lots) == 10


def test_what_is_drawn_by_lot_knows_nothing_of_the_model() -> None:
    given_ = pool({row: row % 4 for row in range(20)})
    other = replace(given_, chances=given_.chances[:, ::-1], vectors=given_.vectors[::-1])
    lots = [
        sorted(q.place for q in compose(s, 20, "margin") if q.quota == "random")
        for s in (given_, other)
    ]
    assert lots[0] == lots[1]


def test_an_unknown_strategy_is_refused_with_the_nearest() -> None:
    with pytest.raises(FixRecipe, match="did you mean 'margin'"):
        compose(pool(), 10, "margn")


@pytest.mark.parametrize(("classes", "labels", "size"), [(2, 0, 10), (77, 0, 77), (5, 480, 48)])
def test_batches_grow_with_the_labels(classes: int, labels: int, size: int) -> None:
    assert batch_size(classes, labels) == size


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=50))
def test_kappa_is_that_of_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    first, second = (np.array(side) for side in zip(*pairs, strict=True))
    if len(set(first.tolist()) | set(second.tolist())) == 1:
        assert kappa(first, second, 4) == 1.0
        return
    assert kappa(first, second, 4) == pytest.approx(cohen_kappa_score(first, second), abs=1e-9)


GAIN = Interval(0.002, 0.0, 0.004, 0.8)


def test_stops_only_when_everything_speaks_for_it() -> None:
    reached = Interval(0.93, 0.91, 0.95)
    found = advise([0.5, 0.995, 0.99, 1.0], GAIN, reached, 0.9, 50)
    assert found.stop
    assert "have not changed for 3 rounds" in found.text
    assert "91.0% to 95.0%" in found.text


@pytest.mark.parametrize(
    ("agreements", "gain", "measured_", "said"),
    [
        ([0.99, 0.99], GAIN, Interval(0.95, 0.92, 0.97), "2 of 3 rounds"),
        ([0.99, 0.98, 0.99], GAIN, Interval(0.95, 0.92, 0.97), "still change"),
        ([1.0, 1.0, 1.0], replace(GAIN, high=0.02), Interval(0.95, 0.92, 0.97), "2.0 points"),
        ([1.0, 1.0, 1.0], None, Interval(0.95, 0.92, 0.97), "no learning curve"),
        ([1.0, 1.0, 1.0], GAIN, Interval(0.95, 0.88, 0.97), "not yet proved"),
        ([1.0, 1.0, 1.0], GAIN, None, "no row drawn by lot"),
    ],
)
def test_one_doubt_keeps_labelling_and_is_the_only_one_told(
    agreements: list[float], gain: Interval | None, measured_: Interval | None, said: str
) -> None:
    found = advise(agreements, gain, measured_, 0.9, 50)
    assert not found.stop
    assert said in found.text
    assert len(found.reasons) == 1


def test_shares_are_exact_and_absent_without_rows() -> None:
    found = measured(np.array([1.0] * 9 + [0.0]))
    assert found is not None
    # R: binom.test(9, 10)$conf.int
    assert (found.low, found.high) == pytest.approx((0.5549839, 0.9974714), abs=1e-6)
    assert measured(np.empty(0)) is None
