"""What is kept of answers, and what may be concluded from them."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luthier.core.errors import CheckRun
from luthier.fewshot.asking.learner import Learner
from luthier.fewshot.asking.rounds import Point, Rounds, decided, spaced, worth_fitting
from luthier.fewshot.asking.sheet import Book, Given, Sheet
from luthier.fewshot.queries.chance import Chance
from luthier.fewshot.query import UNKNOWN, Standing
from luthier.fewshot.rung import Asked

ORDER = np.array([4, 2, 0, 1, 3])
NONE = np.zeros(5, bool)


def test_only_rows_drawn_without_a_gap_judge() -> None:
    given_ = np.array([1, UNKNOWN, 0, 1, 1])
    assert decided(ORDER, given_) == 3
    rounds = Rounds(2, ORDER)
    rounds.add(Point(0, np.array([1, 1, 1, 1, 1]), 5))
    # Row 3 has a label and stands behind the gap at row 1.
    assert rounds.right(given_, NONE).tolist() == [1, 0, 1]
    skipped = np.array([False, True, False, False, False])
    assert decided(ORDER, given_, skipped) == 5
    assert rounds.right(given_, skipped).tolist() == [1, 0, 1, 1]


def test_a_hard_row_that_was_labelled_keeps_its_lot() -> None:
    truth = np.full(5, UNKNOWN)
    truth[2] = 1
    standing = Standing(np.eye(5), np.full((5, 2), 0.5), truth, NONE, lots=ORDER)
    assert Chance().ask(standing, 2).tolist() == [4, 0]
    given_ = truth.copy()
    given_[[4, 0]] = 0
    assert decided(ORDER, given_) == 3, "the row labelled before counts among the drawn"


def test_a_later_round_of_as_many_labels_takes_the_place() -> None:
    rounds = Rounds(2, ORDER)
    for answer in (0, 1):
        rounds.add(Point(4, np.full(5, answer), 5))
    assert len(rounds.points) == 1
    assert rounds.points[0].answers.tolist() == [1] * 5
    assert rounds.agreements == []


@settings(max_examples=50, deadline=None)
@given(
    sizes=st.lists(st.integers(0, 5000), min_size=1, max_size=30, unique=True),
    started=st.floats(1, 300),
)
def test_points_of_a_curve_are_apart_and_hold_the_newest(sizes: list[int], started: float) -> None:
    ordered = sorted(sizes)
    places = spaced(ordered, started)
    assert places[-1] == len(ordered) - 1
    chosen = [ordered[p] + started for p in places]
    assert all(b >= 1.2 * a for a, b in itertools.pairwise(chosen))
    assert set(places) <= set(worth_fitting(ordered, started))
    assert worth_fitting([], started) == []


def test_a_row_is_judged_by_models_that_did_not_see_its_label() -> None:
    # Labels without any pattern: whoever saw them knows them, whoever did not guesses.
    rng = np.random.default_rng(0)
    rows, classes = 400, 2
    vectors = rng.normal(size=(rows, 300)).astype(np.float32)
    nothing = Asked([], vectors[:0])
    said = Asked(["a", "b"], rng.normal(size=(2, 300)).astype(np.float32))
    learner = Learner(("a", "b"), said, Asked([""] * rows, vectors), nothing, np.zeros(0, np.int64))
    given_ = np.full(rows, UNKNOWN)
    order = rng.permutation(rows)
    given_[order[:200]] = rng.integers(0, classes, 200)
    point, chances = learner.round(given_, order)
    seen = chances.argmax(1)[order[:200]] == given_[order[:200]]
    unseen = point.answers[order[:200]] == given_[order[:200]]
    assert seen.mean() > 0.9
    assert unseen.mean() < 0.6


def test_answers_skips_and_undo_are_there_again(tmp_path: Path) -> None:
    book = Book(tmp_path / "labels.journal")
    book.batch([("a", "random"), ("b", "margin"), ("c", "margin")])
    book.answer("a", Given("yes", "random", 2.0))
    book.skip("b", "margin")
    book.undo()
    book.answer("b", Given("no", "margin", 4.0))
    again = Book(tmp_path / "labels.journal").sheet
    assert again == book.sheet
    assert list(again.given) == ["a", "b"] and not again.skipped
    assert again.queue == [("c", "margin")]
    assert again.seconds() == 3.0
    assert "yes" in (tmp_path / "labels.journal").read_text()


def test_undo_goes_back_over_batches_and_ends(tmp_path: Path) -> None:
    book = Book(tmp_path / "labels.journal")
    book.batch([("a", "random")])
    book.answer("a", Given("yes", "random"))
    book.batch([("b", "random")])
    book.undo()
    assert book.sheet.queue == [("a", "random"), ("b", "random")]
    with pytest.raises(CheckRun, match="no question was answered"):
        book.undo()


def test_two_sessions_at_once_are_noticed(tmp_path: Path) -> None:
    one, two = (Book(tmp_path / "labels.journal") for _ in range(2))
    one.answer("a", Given("yes", "random"))
    with pytest.raises(CheckRun, match="another session"):
        two.answer("b", Given("no", "random"))
    assert set(Book(tmp_path / "labels.journal").sheet.given) == {"a", "b"}, "nothing is lost"


def test_a_foreign_journal_is_refused() -> None:
    with pytest.raises(CheckRun, match="run begin"):
        Sheet().take("run begin", {})


def test_rows_left_out_for_once_are_answered_fairly_where_classes_were_asked_in_turn() -> None:
    """Three labels of each of twenty classes: what is left out is missed by its class alone."""
    rng = np.random.default_rng(0)
    classes, each, width = 20, 60, 24
    truth = np.tile(np.arange(classes), each)
    middles = rng.normal(size=(classes, width))
    vectors = middles[truth] + 1.6 * rng.normal(size=(len(truth), width))
    names = tuple(f"class {i}" for i in range(classes))
    said = Asked(list(names), middles + 3.0 * rng.normal(size=middles.shape))
    pool = Asked([""] * len(truth), vectors)
    learner = Learner(names, said, pool, Asked([], vectors[:0]), np.zeros(0, np.int64))
    plain, fair, left, fresh = [], [], [], []
    for draw in range(12):
        order = np.random.default_rng(draw).permutation(len(truth))
        given_ = np.full(len(truth), UNKNOWN)
        for number in range(classes):
            given_[order[truth[order] == number][:3]] = number
        known = np.flatnonzero(given_ != UNKNOWN)
        order = np.concatenate([known, order[given_[order] == UNKNOWN]])
        point, _ = learner.round(given_, order)
        assert point.fair is not None
        assert set(np.flatnonzero(point.fair != UNKNOWN)) == set(known)
        plain.append((point.answers[known] == truth[known]).mean())
        fair.append((point.fair[known] == truth[known]).mean())
        left.append(point.left)
        half = given_.copy()
        for number in range(classes):
            half[np.flatnonzero(given_ == number)[2:]] = UNKNOWN
        unseen = np.flatnonzero(given_ == UNKNOWN)
        model = learner.fit(half).probabilities(pool.take(unseen))
        fresh.append((model.argmax(axis=1) == truth[unseen]).mean())
    assert 30 < np.mean(left) < 50
    # A model of two labels per class tells what a fair answer is; leaving rows out is below it.
    assert abs(np.mean(fair) - np.mean(fresh)) < 0.04
    assert np.mean(fresh) - np.mean(plain) > abs(np.mean(fair) - np.mean(fresh))


def test_a_point_is_judged_apart_on_rows_it_had_seen() -> None:
    given_ = np.array([1, 1, 0, 1, 1])
    rounds = Rounds(2, ORDER)
    fair = np.array([UNKNOWN, UNKNOWN, 0, UNKNOWN, 0])
    rounds.add(Point(2, np.array([1, 1, 1, 1, 1]), 5, fair, 1.5))
    curve = rounds.curve(given_, NONE, 1.0)
    assert curve is not None and curve.last == 2.0
