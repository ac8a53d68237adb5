"""Conditions, fronts, paired comparison and the choice of what ships."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from luthier.core.errors import FixRecipe
from luthier.search.choosing.constraint import LATER, Conditions, Constraint
from luthier.search.choosing.final import Candidate, choose
from luthier.search.choosing.paired import clearly_worse, difference, together
from luthier.search.choosing.pareto import front, turned
from luthier.search.trial import Observation, Trial

KNOWN = ("memory_mb", "latency_ms", "ece")
NAN = float("nan")


def seen(unit: int = 16, **measures: float) -> Observation:
    return Observation(unit, 0.5, 1.0, 1.0, 16.0, measures)


def rows(right: float, losses: float, count: int = 400, unit: int = 16) -> Observation:
    hard = np.random.default_rng(3).random(count)
    return Observation(unit, right, losses, losses, 16.0, {},
                       (losses + hard).astype(np.float32), hard < right)  # fmt: skip


def trial(name: str, *curve: Observation) -> Trial:
    return Trial(name, {}, "prior", curve=list(curve), status="finished")


def candidate(name: str, right: float, belief: float, cost: float = 10.0) -> Candidate:
    shown = rows(right, 1 - right)
    return Candidate((trial(name, shown),), (shown,), belief, 0.05, cost)


# -- conditions ----------------------------------------------------------------------------


@pytest.mark.parametrize("sign", ["<=", ">="])
def test_a_condition_is_read_and_told_again(sign: str) -> None:
    text = f"ece {sign} 0.05"
    assert str(Constraint.read(text, KNOWN)) == text


@given(st.floats(0.1, 1e4), st.floats(0, 1e5))
def test_the_excess_is_zero_exactly_where_it_is_met(limit: float, value: float) -> None:
    most = Constraint("memory_mb", True, limit).excess({"memory_mb": value})
    least = Constraint("memory_mb", False, limit).excess({"memory_mb": value})
    assert (most == 0) == (value <= limit) and (least == 0) == (value >= limit)


@pytest.mark.parametrize("measures", [{}, {"memory_mb": NAN}])
def test_what_was_not_measured_meets_nothing(measures: dict[str, float]) -> None:
    assert Constraint("memory_mb", True, 1e9).excess(measures) == float("inf")


@pytest.mark.parametrize("text", ["memory_mb", "memory_mb < 5", "<= 5", "memory_mb <= much", ""])
def test_other_forms_are_refused(text: str) -> None:
    with pytest.raises(FixRecipe, match="no condition"):
        Constraint.read(text, KNOWN)


def test_an_unknown_measure_is_told_the_nearest() -> None:
    with pytest.raises(FixRecipe, match="did you mean 'memory_mb'"):
        Constraint.read("memory_m <= 5", KNOWN)


@pytest.mark.parametrize("name", list(LATER))
def test_what_another_part_measures_is_refused_by_its_name(name: str) -> None:
    with pytest.raises(FixRecipe, match=LATER[name]):
        Constraint.read(f"{name} <= 1", KNOWN)
    assert Constraint.read(f"{name} <= 1", (*KNOWN, name)).measure == name


def test_when_nothing_meets_the_conditions_the_closest_is_named() -> None:
    wanted = Conditions((Constraint.read("memory_mb <= 100", KNOWN),))
    tried = [trial("t000", seen(memory_mb=900)), trial("t001", seen(memory_mb=130)),
             trial("t002", seen(memory_mb=400))]  # fmt: skip
    with pytest.raises(FixRecipe, match="closest, t001") as caught:
        wanted.demand_met(tried)
    assert "130" in str(caught.value) and "memory_mb <= 100" in str(caught.value)
    wanted.demand_met([*tried, trial("t003", seen(memory_mb=99))])


# -- fronts --------------------------------------------------------------------------------

TABLES = arrays(np.float64, st.tuples(st.integers(1, 12), st.integers(1, 3)),
                elements=st.sampled_from([0.0, 1.0, 2.0, 3.0, NAN]))  # fmt: skip


@given(TABLES)
def test_the_front_is_what_nothing_dominates(values: np.ndarray) -> None:
    kept = front(values)
    able = [i for i in range(len(values)) if np.isfinite(values[i]).all()]

    def beats(one: int, other: int) -> bool:
        return bool((values[one] >= values[other]).all() and (values[one] > values[other]).any())

    assert kept == [i for i in able if not any(beats(j, i) for j in able)]
    assert bool(kept) == bool(able)


def test_what_is_better_when_lower_is_turned_round() -> None:
    values = np.array([[0.9, 10.0], [0.8, 5.0], [0.7, 7.0]])
    assert front(turned(values, ("higher", "lower"))) == [0, 1]


# -- row by row ----------------------------------------------------------------------------


def test_a_difference_is_signed_and_symmetric() -> None:
    good, bad = rows(0.9, 0.2), rows(0.6, 0.5)
    gain = difference(good, bad)
    assert gain.mean > 0.2 and gain.chance > 0.99 and gain.rows == 400
    assert difference(bad, good).mean == -gain.mean
    assert difference(good, good).chance == 0.5


def test_without_right_answers_losses_speak() -> None:
    good, bad = (replace(rows(0.5, loss), right=None) for loss in (0.2, 0.5))
    assert difference(good, bad).mean == pytest.approx(0.3, abs=1e-6)
    silent = replace(good, losses=None)
    assert difference(silent, bad).rows == 0 and difference(silent, bad).chance == 0.5


def test_differences_on_separate_rows_add_up_to_that_on_all() -> None:
    chance = np.random.default_rng(5)
    good, bad = (chance.random((2, 300)) < p for p in (0.9, 0.8))
    every = [
        (replace(rows(0.9, 0.2), right=g), replace(rows(0.8, 0.3), right=b))
        for g, b in (*zip(good, bad, strict=True), (good.ravel(), bad.ravel()))
    ]
    *parts, whole = (difference(*pair) for pair in every)
    joint = together(parts)
    assert (joint.mean, joint.rows) == (pytest.approx(whole.mean), whole.rows)
    assert joint.error == pytest.approx(whole.error, rel=0.02)
    assert together(parts[:1]) == parts[0] and together([]).chance == 0.5


def test_only_points_at_the_same_unit_are_compared() -> None:
    lead = trial("a", rows(0.9, 0.1, unit=4), rows(0.95, 0.05, unit=16))
    assert clearly_worse(trial("b", rows(0.5, 0.9, unit=4)), lead)
    assert not clearly_worse(trial("b", rows(0.9, 0.1, unit=4)), lead)
    assert not clearly_worse(trial("b", rows(0.95, 0.05, unit=4)), lead)
    assert not clearly_worse(trial("b", rows(0.5, 0.9, unit=8)), lead)


# -- what ships ----------------------------------------------------------------------------


def test_what_is_surely_better_ships() -> None:
    choice = choose([candidate("t003", 0.8, 1.0)], candidate("t000", 0.6, 0.2))
    assert choice.winner.name == "t003" and choice.against_default.mean > 0.15
    assert not choice.is_default


def test_the_default_ships_when_the_rest_is_not_sure() -> None:
    choice = choose([candidate("t003", 0.6, 1.0)], candidate("t000", 0.6, 0.2))
    assert choice.is_default and "not sure enough" in choice.why
    worse = choose([candidate("t003", 0.5, 1.0)], candidate("t000", 0.6, 0.2))
    assert worse.is_default and worse.against_default.mean < 0


def test_the_default_ships_when_nothing_leads_it() -> None:
    choice = choose([candidate("t003", 0.9, 0.1)], candidate("t000", 0.6, 0.5))
    assert choice.is_default and choice.why == "the default was already best"


def test_a_much_cheaper_one_within_the_error_goes_first() -> None:
    default = candidate("t000", 0.5, 0.0)
    near = [candidate("t001", 0.8, 1.0, 10.0), candidate("t002", 0.79, 0.99, 5.0)]
    assert choose(near, default).winner.name == "t002"
    alike = [candidate("t001", 0.8, 1.0, 10.0), candidate("t002", 0.79, 0.99, 9.5)]
    assert choose(alike, default).winner.name == "t001"
    far = [candidate("t001", 0.8, 1.0, 10.0), candidate("t002", 0.79, 0.8, 5.0)]
    assert choose(far, default).winner.name == "t001"


def test_the_rows_that_chose_count_beside_those_that_chose_nothing() -> None:
    default, one_row_ahead = candidate("t000", 0.5, 0.0), 0.5025
    assert not choose([candidate("t003", one_row_ahead, 0.2)], default).is_default
    assert choose([candidate("t003", one_row_ahead, 0.03)], default).is_default
