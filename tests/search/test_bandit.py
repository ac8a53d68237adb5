"""The choice among sources: it learns, it forgets, and it says what chance each had."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luthier.search.bandit import ArmPrior, Bandit

NAMES = ("a", "b", "c")


def bandit() -> Bandit:
    return Bandit({name: ArmPrior(1.0) for name in NAMES})


def chances(found: Bandit, seed: int = 0) -> dict[str, float]:
    return found.choose(np.random.default_rng(seed), NAMES)[1]


def test_the_better_arm_is_preferred() -> None:
    found, random, taken = bandit(), np.random.default_rng(1), []
    for _ in range(60):
        arm, _ = found.choose(random, NAMES)
        taken.append(arm)
        found.reward(arm, random.random() + (2.0 if arm == "b" else 0.0))
    assert taken[20:].count("b") > 25
    assert chances(found)["b"] > 0.6


def test_it_forgets() -> None:
    found = bandit()
    for _ in range(30):
        found.reward("a", 3.0)
        found.reward("b", 1.0)
    assert chances(found)["a"] > chances(found)["b"]
    for _ in range(60):
        found.reward("a", 0.0)
        found.reward("b", 1.0)
    assert chances(found)["b"] > chances(found)["a"]


def test_one_lucky_trial_does_not_decide_for_good() -> None:
    found = bandit()
    for _ in range(20):
        found.reward("a", 1.0)
        found.reward("b", 1.2)
    found.reward("a", 1e6)
    assert found.arms["a"].total < 50


@given(
    st.lists(st.tuples(st.sampled_from(NAMES), st.floats(-10, 1e3)), max_size=30),
    st.integers(0, 999),
    st.sets(st.sampled_from(NAMES), min_size=1),
)
@settings(max_examples=50, deadline=None)
def test_chances_are_a_distribution_over_what_is_there(
    rewards: list[tuple[str, float]], seed: int, there: set[str]
) -> None:
    found = bandit()
    for name, value in rewards:
        found.reward(name, value)
    arm, given_chances = found.choose(np.random.default_rng(seed), sorted(there))
    assert arm in there and set(given_chances) == there
    assert sum(given_chances.values()) == pytest.approx(1.0)
    assert min(given_chances.values()) > 0


def test_chances_are_those_of_the_choice() -> None:
    found = bandit()
    for name, value in (("a", 2.0), ("b", 1.0), ("c", 0.5)):
        found.reward(name, value)
    taken = [found.choose(np.random.default_rng(s), NAMES)[0] for s in range(400)]
    mean = {n: np.mean([chances(found, s)[n] for s in range(40)]) for n in NAMES}
    for name in NAMES:
        assert taken.count(name) / 400 == pytest.approx(mean[name], abs=0.08)
