"""Words out of proportion, what removing them does, and weights that moved."""

from __future__ import annotations

import random

import numpy as np
import pytest

from luthier.explain.attribution import Attribution, Passage
from luthier.explain.change.association import Association, associations
from luthier.explain.change.paired import mean_of
from luthier.explain.change.removal import Removed, removable
from luthier.explain.change.shortcut import confirmed
from luthier.explain.change.weight import moved, shares, shifts
from luthier.explain.passages import words_of

PLAIN = [f"w{i}" for i in range(40)]


def _texts(count: int, seed: int) -> list[str]:
    dice = random.Random(seed)
    return [" ".join(dice.choice(PLAIN) for _ in range(8)) for _ in range(count)]


def _passage(text: str) -> Passage:
    words = tuple(words_of(text))
    return Passage(text, np.arange(len(words)), words, np.arange(len(words)))


def test_a_planted_word_stands_first_and_its_numbers_are_those_of_the_rows() -> None:
    labels = np.arange(300) % 2
    texts = [f"{t} Quetzal" if i < 40 and i % 2 else t for i, t in enumerate(_texts(300, 0))]
    seen = associations(texts, labels)
    first = seen.found[0]
    assert (first.word, first.label, first.rows, first.together) == ("quetzal", 1, 20, 20)
    assert first.share == 1 and first.base == pytest.approx(0.5)
    assert first.z == pytest.approx(0.5 / np.sqrt(0.25 / 20))
    assert seen.tested == 2 * 41


def test_of_three_rows_nothing_can_be_said() -> None:
    labels = np.arange(300) % 2
    texts = [f"{t} quetzal" if i in (1, 3, 5) else t for i, t in enumerate(_texts(300, 0))]
    seen = associations(texts, labels)
    assert seen.silent == (("quetzal", 1, 3),) and seen.rare == 1
    assert "quetzal" not in [one.word for one in seen.found]


def test_labels_in_random_order_are_out_of_proportion_in_few_draws() -> None:
    texts = _texts(200, 3)
    dice = np.random.default_rng(0)
    hits = sum(bool(associations(texts, dice.integers(0, 3, 200)).found) for _ in range(60))
    assert hits <= 8


def test_a_mean_says_how_sure_it_is_and_where_it_cannot() -> None:
    few = mean_of("x", "w", np.ones(7))
    assert few.verdict == "cannot say" and "7 rows" in few.why
    assert mean_of("x", "w", np.ones(20)).verdict == "cannot say"
    values = np.random.default_rng(1).normal(1.0, 1.0, 40)
    one = mean_of("x", "w", values)
    assert one.low is not None and one.high is not None and one.value is not None
    assert one.low < values.mean() < one.high and one.high - one.value == pytest.approx(
        2.0227 * values.std(ddof=1) / np.sqrt(40), rel=1e-3
    )


def _word(word: str) -> Association:
    return Association(word, 1, 40, 40, 0.5, 6.0, 1e-9)


def _effect(mean: float, rows: int = 30, seed: int = 0) -> Removed:
    dice = np.random.default_rng(seed)
    return Removed(dice.normal(mean, 0.5, rows), dice.normal(0, 0.5, rows), np.ones(rows))


def test_only_a_word_that_the_model_leans_on_is_called_a_shortcut() -> None:
    words = [_word("leant"), _word("idle"), _word("tiny"), _word("against"), _word("few")]
    small = Removed(np.full(30, 0.05) + np.linspace(0, 1e-3, 30), np.zeros(30), np.zeros(30))
    after = [_effect(2.0), _effect(0.0, seed=4), small, _effect(-2.0), _effect(2.0, 3)]
    found = confirmed(words, [None] * 5, after)
    assert [one.verdict for one in found] == [
        "shortcut", "not confirmed", "not confirmed", "not confirmed", "cannot say",
    ]  # fmt: skip
    told = found[4].told(["a", "b"])
    assert "3 rows hold it" in told["why"] and told["label"] == "b"


def test_a_word_that_only_stands_beside_words_against_the_label_is_no_shortcut() -> None:
    # Without another word of its rows the label gains; without "the" nothing happens for sure.
    dice = np.random.default_rng(5)
    own = np.linspace(-1, 1, 40) + 0.05
    the = Removed(own, dice.normal(-1.0, 0.5, 40), np.zeros(40))
    assert the.apart.mean() > 0.9 and the.word.mean() > 0
    (found,) = confirmed([_word("the")], [None], [the])
    assert found.finding.verdict == "found" and found.verdict == "not confirmed"


def test_removals_that_do_nothing_confirm_nothing() -> None:
    words = [_word(str(i)) for i in range(20)]
    hits = 0
    for seed in range(50):
        effects = [_effect(0.0, 12, 100 * seed + i) for i in range(20)]
        hits += any(one.verdict == "shortcut" for one in confirmed(words, effects, effects))
    assert hits <= 5


def test_a_word_alone_in_its_text_has_nothing_beside_it() -> None:
    assert removable(_passage("a Fee, please"), "fee")
    assert not removable(_passage("fee fee"), "fee") and not removable(_passage("a b"), "fee")


def test_weights_that_moved_are_told_with_their_direction() -> None:
    dice = np.random.default_rng(2)
    passages = [_passage(f"up down {word}") for word in _texts(20, 1)]
    before, after = [], []
    for passage in passages:
        scores = dice.normal(0, 1, len(passage.words))
        scores[:2] = 1, 4
        before.append(Attribution("x", scores.copy(), True))
        scores[:2] = 4, 1
        after.append(Attribution("x", 7 * scores, True))
    found, _ = moved(passages, before, after)
    sure = {m.finding.group: m for m in found if m.finding.verdict == "found"}
    assert set(sure) == {"up", "down"}
    assert sure["up"].after > sure["up"].before and sure["down"].after < sure["down"].before
    same, _ = moved(passages, before, before)
    assert all(m.finding.verdict == "cannot say" for m in same)
    assert np.allclose(shifts(before, before), 0) and (shifts(before, after) > 0.1).all()


def test_shares_ignore_the_scale_and_a_turned_sign_is_a_whole_shift() -> None:
    scores = np.asarray([1.0, -3.0])
    one, other = (Attribution("x", s, True) for s in (scores, -5 * scores))
    assert np.abs(shares(other)).sum() == pytest.approx(1)
    assert shifts([one], [other]).tolist() == pytest.approx([1])
    assert shares(Attribution("x", np.zeros(3), True)).tolist() == [0, 0, 0]
