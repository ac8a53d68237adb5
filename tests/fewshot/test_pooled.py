"""Self-training: what is taken from the pool, and that no held-out label reaches it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fewshot_rows import asked, known
from luthier.core.progress import Silence
from luthier.fewshot.choosing.choose import choose
from luthier.fewshot.choosing.evidence import Credit
from luthier.fewshot.folds import cut_of
from luthier.fewshot.rungs.blends import Stacked
from luthier.fewshot.rungs.linear import Described
from luthier.fewshot.rungs.pooled import WEIGHT, WithPool, agreed, self_trained, widened


def test_only_texts_on_which_both_views_agree_are_taken_and_no_class_crowds_out() -> None:
    sure = np.linspace(0.9, 0.6, 20)
    one = np.stack([sure, 1 - sure], axis=1)
    two = one.copy()
    two[::2] = two[::2, ::-1]
    places, classes = agreed(one, two, np.array([1, 1]))
    assert places.tolist() == [1, 3, 5, 7] and set(classes.tolist()) == {0}
    places, _ = agreed(one, two, np.array([100, 100]))
    assert places.tolist() == [1, 3, 5, 7, 9]


def test_a_class_without_rows_gets_none_from_the_pool() -> None:
    one = np.tile([0.1, 0.9], (30, 1))
    assert len(agreed(one, one, np.array([3, 0]))[0]) == 0


def test_pool_rows_count_less_and_leave_the_pool() -> None:
    given = known(8)
    whole = widened(given)
    added = len(whole.rows) - len(given.rows)
    assert added > 0 and len(whole.pool) == len(given.pool) - added
    assert set(whole.row_weights[len(given.rows) :]) == {WEIGHT}
    assert set(whole.rows.texts[len(given.rows) :]) <= set(given.pool.texts)
    right = dict(zip(given.pool.texts, asked(40, 100)[1].tolist(), strict=True))
    own = [right[text] for text in whole.rows.texts[len(given.rows) :]]
    assert np.mean(np.asarray(own) == whole.truth[len(given.rows) :]) > 0.9


def test_no_label_that_is_held_out_reaches_the_pool() -> None:
    given = known(8)
    fold = cut_of(given).folds[0]
    truth = given.truth.copy()
    truth[fold.check] = (truth[fold.check] + 1) % 3
    turned = replace(given, truth=truth)
    rung = WithPool(Described())
    asked_ = given.rows.take(fold.check)
    one = given.only(fold.learn).made(rung).probabilities(asked_)
    two = turned.only(fold.learn).made(rung).probabilities(asked_)
    np.testing.assert_array_equal(one, two)


def test_a_small_pool_is_refused_and_gain_must_be_shown() -> None:
    assert "50 are needed" in self_trained().refusal(known(8, pool=5))
    choice = choose(known(12), (Stacked(), self_trained()), "accuracy", Silence())
    told = {d.rung: d for d in choice.decisions}["self-trained"]
    assert told.accepted == (told.gain is not None and told.gain.proven(1))


def test_what_other_tasks_showed_counts_from_as_many_rows_on() -> None:
    rung = replace(self_trained(), credit=Credit(0.05, 0.01, per_class=12))
    reasons = []
    for count in (8, 12):
        choice = choose(known(count), (Stacked(), rung), "accuracy", Silence())
        reasons += [d.reason for d in choice.decisions if d.rung == "self-trained"]
    assert "other tasks" not in reasons[0]
    assert "other tasks" in reasons[1] or reasons[1] == "better"
