"""Attacks as arithmetic: what they measure where the answer is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from luthier.privacy.audits.exposure import exposure, share
from luthier.privacy.audits.membership import area, exposed, found_at, membership
from luthier.privacy.audits.onerun import chance, from_pairs, lower_bound


def normals(count: int, shift: float, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(shift, 1.0, count)


def test_the_area_of_two_normals_is_known() -> None:
    truth = float(norm.cdf(1 / math.sqrt(2)))
    found = area(normals(4_000, 1.0, 0), normals(4_000, 0.0, 1))
    assert found.value == pytest.approx(truth, abs=0.01)
    assert found.low < truth < found.high


def test_the_interval_of_the_area_holds_as_often_as_it_says() -> None:
    truth = float(norm.cdf(0.5 / math.sqrt(2)))
    inside = 0
    for seed in range(200):
        found = area(normals(80, 0.5, 2 * seed), normals(60, 0.0, 2 * seed + 1))
        inside += found.low <= truth <= found.high
    assert 180 <= inside <= 199


def test_a_perfect_attack_finds_everybody() -> None:
    found = membership(normals(5_000, 20.0, 0), normals(5_000, 0.0, 1), 0)
    assert found.area.value == 1
    rates = {rate: i.value for rate, i in found.found.items() if i is not None}
    assert rates == {0.001: 1.0, 0.01: 1.0}


def test_the_rate_found_is_the_one_of_two_normals() -> None:
    found = found_at(normals(20_000, 2.0, 0), normals(20_000, 0.0, 1), 0.01, 0)
    assert found is not None
    truth = float(norm.sf(norm.isf(0.01) - 2.0))
    assert found.low < truth < found.high
    assert found.high - found.low < 0.1


@pytest.mark.parametrize(("others", "rate"), [(2_999, 0.001), (299, 0.01)])
def test_with_too_few_others_a_rate_is_not_measurable(others: int, rate: float) -> None:
    members = normals(100, 0.0, 0)
    assert found_at(members, normals(others, 0.0, 1), rate, 0) is None
    assert found_at(members, normals(others + 1, 0.0, 1), rate, 0) is not None


def test_equal_scores_count_as_guessing() -> None:
    found = membership(np.zeros(400), np.zeros(400), 0)
    assert found.area.value == 0.5
    at = found.found[0.01]
    assert at is not None and at.value == 0


def test_the_most_exposed_rows_come_first_with_their_numbers() -> None:
    members, rows = np.array([0.1, 9.0, 3.0]), np.array([11, 12, 13])
    found = exposed(members, rows, np.array([0.0, 0.05, 4.0, 0.2]), 2)
    assert [(e.row, e.as_high) for e in found] == [(12, 0.0), (13, 0.25)]


def test_a_secret_before_all_others_has_all_bits() -> None:
    others = np.linspace(1, 2, 255)
    assert exposure(5, 0.5, others).bits == 8
    assert exposure(5, 3.0, others).bits == 0
    # Equal to all others nothing is given away.
    assert exposure(5, 1.0, np.ones(255)).bits == 0


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 200), st.integers(1, 200))
def test_a_share_lies_in_its_interval(hits: int, count: int) -> None:
    found = share(min(hits, count), count)
    assert 0 <= found.low <= found.value <= found.high <= 1


@settings(max_examples=50, deadline=None)
@given(st.floats(0, 6), st.integers(10, 500), st.floats(0.01, 0.99))
def test_right_guesses_are_likelier_with_more_leak(
    epsilon: float, guesses: int, part: float
) -> None:
    correct = max(1, int(part * guesses))
    low = chance(correct, guesses, 1_000, epsilon, 1e-6)
    assert low <= chance(correct, guesses, 1_000, epsilon + 0.5, 1e-6) + 1e-12
    assert low <= chance(correct, guesses, 1_000, epsilon, 1e-4) + 1e-12


def test_without_delta_the_bound_is_that_of_a_proportion() -> None:
    found = lower_bound(900, 1_000, 1_000, 0.0)
    low = share(900, 1_000, 0.9).low
    assert 1 / (1 + math.exp(-found)) == pytest.approx(low, abs=1e-3)


@pytest.mark.parametrize("truth", [0.5, 2.0])
def test_randomised_answers_are_rarely_said_to_leak_more_than_they_do(truth: float) -> None:
    """Each score tells its row's membership with the probability that `truth` allows."""
    above, random = 0, np.random.default_rng(7)
    for seed in range(100):
        right = random.random(2_000) < 1 / (1 + math.exp(-truth))
        members, others = np.where(right[:1_000], 1.0, -1.0), np.where(right[1_000:], -1.0, 1.0)
        above += from_pairs(members, others, 1e-6, seed).epsilon > truth
    assert above <= 10


def test_a_plain_leak_is_demonstrated() -> None:
    found = from_pairs(normals(2_000, 6.0, 0), normals(2_000, 0.0, 1), 1e-6, 0)
    assert found.epsilon > 1.5
    assert from_pairs(normals(2_000, 0.0, 0), normals(2_000, 0.0, 1), 1e-6, 0).epsilon < 0.2
