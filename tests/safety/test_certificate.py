"""A certificate holds against every exchange of so many words, by counting all of them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pytest

from luthier.safety.attack import Scores
from luthier.safety.certificate import Vote, certify, radius


class Majority:
    """Answers 1 when most words that are seen are `good`."""

    def scores(self, texts: Sequence[str]) -> Scores:
        """Chances (B, 2)."""
        shares = [t.split().count("good") / max(1, _seen(t)) for t in texts]
        return np.asarray([[1 - s, s] for s in shares], np.float64)


def _seen(text: str) -> int:
    return sum(word != "[MASK]" for word in text.split())


def _chance(words: Sequence[str], kept: int) -> float:
    """Exact chance of answer 1 under masking."""
    views = list(itertools.combinations(words, kept))
    right = sum(v.count("good") / kept > 0.5 for v in views)
    return right / len(views)


@pytest.mark.parametrize("bad", [0, 1, 2])
def test_no_exchange_within_the_radius_changes_the_vote(bad: int) -> None:
    words = ["good"] * (10 - bad) + ["bad"] * bad
    within = radius(_chance(words, 3), 10, 3)
    assert within >= 0
    for places in itertools.combinations(range(10), within):
        changed = ["bad" if i in places else w for i, w in enumerate(words)]
        assert _chance(changed, 3) > 0.5


def test_draws_certify_less_than_is_true_and_more_draws_no_less_sure() -> None:
    text = " ".join(["good"] * 12)
    few = certify(Majority(), text, Vote("[MASK]", 20), np.random.default_rng(0))
    many = certify(Majority(), text, Vote("[MASK]", 500), np.random.default_rng(0))
    assert few.answer == many.answer == 1
    assert 0 <= few.radius <= many.radius <= radius(1.0, 12, 4)
    undecided = " ".join(["good", "bad"] * 6)
    assert certify(Majority(), undecided, Vote("[MASK]", 200), np.random.default_rng(0)).radius <= 0


@pytest.mark.parametrize("text", ["", "one", "…", "two words"])
def test_short_texts_have_an_answer(text: str) -> None:
    found = certify(Majority(), text, Vote("[MASK]", 50), np.random.default_rng(0))
    assert found.answer in (0, 1)
    assert found.radius <= len(text.split())
