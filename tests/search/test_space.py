"""Parameters and spaces: what is drawn lies inside, and coordinates lead back."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luthier.core.errors import FixRecipe
from luthier.search.parameter import Choice, Parameter, Range
from luthier.search.space import Space, same


@st.composite
def ranges(draw: Any, name: str = "x") -> Range:
    log = draw(st.booleans())
    low = draw(st.floats(1e-6, 10) if log else st.floats(-100, 100))
    high = low * draw(st.floats(1.5, 1e4)) if log else low + draw(st.floats(0.01, 100))
    share = draw(st.floats(0, 1))
    mode = low + share * (high - low)
    return Range(name, low, high, min(high, max(low, mode)), draw(st.floats(0.05, 3)), log)


@st.composite
def choices(draw: Any, name: str = "c") -> Choice:
    values = st.one_of(st.integers(-50, 50), st.text("abcdef", min_size=1, max_size=4))
    options = tuple(draw(st.lists(values, min_size=1, max_size=6, unique=True)))
    weights = tuple(draw(st.floats(0.05, 5)) for _ in options)
    return Choice(name, options, weights, draw(st.sampled_from(options)), draw(st.booleans()))


@st.composite
def spaces(draw: Any) -> Space:
    found: list[Parameter] = [draw(ranges("r0"))]
    found += [draw(ranges(f"r{i}")) for i in range(1, draw(st.integers(1, 3)))]
    found += [draw(choices(f"c{i}")) for i in range(draw(st.integers(0, 3)))]
    return Space(tuple(found))


@given(ranges(), st.floats(0, 1))
def test_a_place_leads_to_a_value_inside_and_back(parameter: Range, at: float) -> None:
    value = parameter.decode(at)
    assert parameter.holds(value)
    # Values are kept to six digits, which a narrow range far from zero feels.
    width = (
        math.log10(parameter.high / parameter.low) if parameter.log
        else (parameter.high - parameter.low) / max(abs(parameter.low), abs(parameter.high), 1e-9)
    )  # fmt: skip
    assert parameter.encode(value)[0] == pytest.approx(at, abs=2e-5 / min(width, 1.0))


@given(ranges(), st.floats(-2, 3))
def test_places_beyond_the_ends_stay_inside(parameter: Range, at: float) -> None:
    assert parameter.holds(parameter.decode(at))


@given(choices())
def test_every_option_has_its_own_place(parameter: Choice) -> None:
    places = [tuple(parameter.encode(option)) for option in parameter.options]
    assert len(set(places)) == len(parameter.options)
    assert all(len(place) == parameter.width and 0 <= min(place) <= max(place) <= 1
               for place in places)  # fmt: skip


@given(spaces(), st.integers(0, 2**31 - 1))
@settings(max_examples=40, deadline=None)
def test_every_draw_lies_inside(space: Space, seed: int) -> None:
    random = np.random.default_rng(seed)
    drawn = space.draw(random, 8) + space.spread(8, seed)
    drawn += [space.near(config, random) for config in drawn[:4]]
    assert all(space.holds(config) for config in [*drawn, space.default])
    inside = space.encode(drawn)
    assert inside.shape == (len(drawn), space.width)
    assert inside.min() >= -1e-6 and inside.max() <= 1 + 1e-6


@given(spaces(), st.integers(0, 1000), st.integers(1, 8), st.integers(9, 40))
@settings(max_examples=20, deadline=None)
def test_a_longer_spread_begins_with_the_shorter(
    space: Space, seed: int, few: int, many: int
) -> None:
    assert space.spread(many, seed)[:few] == space.spread(few, seed)


@given(spaces(), st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_a_neighbour_differs_where_it_can(space: Space, seed: int) -> None:
    random = np.random.default_rng(seed)
    assert not same(space.near(space.default, random), space.default)


@given(ranges())
def test_the_prior_is_densest_around_its_mode(parameter: Range) -> None:
    middle = parameter.quantile(0.5)
    assert parameter.holds(middle)
    assert parameter.quantile(0.05) <= middle <= parameter.quantile(0.95)


def test_a_prior_follows_its_weights() -> None:
    parameter = Choice("c", (1, 2, 3), (1.0, 0.0, 3.0), 1)
    drawn = [parameter.quantile(share) for share in np.linspace(0.001, 0.999, 400)]
    assert drawn.count(1) == pytest.approx(100, abs=2) and drawn.count(2) == 0


def test_a_default_outside_says_what_is_allowed() -> None:
    with pytest.raises(FixRecipe, match="default 9 lies outside") as caught:
        Range("rate", 0.0, 1.0, 9, 0.1)
    assert "0.0 to 1.0" in str(caught.value) and "widen" in str(caught.value)
    with pytest.raises(FixRecipe, match="default 7 lies outside") as caught:
        Choice("rank", (4, 8), (1.0, 1.0), 7)
    assert "4, 8" in str(caught.value)


@pytest.mark.parametrize(("low", "high", "log"), [(1.0, 1.0, False), (2, 1, False), (0.0, 1, True)])
def test_an_empty_range_is_refused(low: float, high: float, log: bool) -> None:
    with pytest.raises(FixRecipe, match="range"):
        Range("rate", low, high, low, 0.1, log)


def test_a_wrong_name_is_told_the_nearest() -> None:
    space = Space((Range("rate", 0.0, 1.0, 0.5, 0.1),))
    with pytest.raises(FixRecipe, match="did you mean 'rate'"):
        space.encode([{"rats": 0.5}])
    with pytest.raises(FixRecipe, match="missing"):
        space.encode([{}])
    with pytest.raises(FixRecipe, match="outside"):
        space.encode([{"rate": 2.0}])


def test_the_hash_follows_the_priors() -> None:
    one, other = (Space((Range("rate", 0.0, 1.0, 0.5, s),)) for s in (0.1, 0.2))
    assert one.hash != other.hash
    assert one.hash == Space((Range("rate", 0.0, 1.0, 0.5, 0.1),)).hash


@pytest.mark.parametrize(
    ("low", "high", "centre"), [(-1.5, 1.5, 0.2), (2.0, 3.0, -1.0), (-9, -4, 5)]
)
def test_the_prior_of_a_range_is_a_cut_normal(low: float, high: float, centre: float) -> None:
    from scipy.stats import truncnorm

    found = Range("rate", low, high, (low + high) / 2, 0.7, centre=centre)
    ends = (low - centre) / 0.7, (high - centre) / 0.7
    for share in (0.0, 0.01, 0.3, 0.77, 0.999, 1.0):
        wanted = truncnorm.ppf(share, *ends, loc=centre, scale=0.7)
        assert found.quantile(share) == pytest.approx(wanted, abs=1e-5)
