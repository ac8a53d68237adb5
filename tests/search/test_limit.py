"""A budget in the user's words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier.core.errors import FixRecipe
from luthier.search.budget import Limit


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("20min", Limit(seconds=1200)),
        (" 1.5 h ", Limit(seconds=5400)),
        ("90s", Limit(seconds=90)),
        ("1 trial", Limit(trials=1)),
        ("30 trials", Limit(trials=30)),
        ("5x one run", Limit(runs=5)),
        ("2.5X", Limit(runs=2.5)),
    ],
)
def test_words(text: str, limit: Limit) -> None:
    assert Limit.read(text) == limit
    assert Limit.read(str(limit).replace(" minutes", "min")) == limit


@pytest.mark.parametrize("text", ["", "soon", "0min", "-5min", "2.5 trials", "5 runs", "20 min 3s"])
def test_other_words_are_refused(text: str) -> None:
    with pytest.raises(FixRecipe, match="20min"):
        Limit.read(text)


@given(st.floats(0, 1e4), st.integers(0, 99), st.floats(0, 99))
def test_only_the_unit_that_was_named_is_spent(seconds: float, trials: int, runs: float) -> None:
    assert Limit(seconds=100).share(seconds, trials, runs) == seconds / 100
    assert Limit(trials=10).share(seconds, trials, runs) == trials / 10
    assert Limit(runs=4).share(seconds, trials, runs) == runs / 4
