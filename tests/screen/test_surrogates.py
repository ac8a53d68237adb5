"""Surrogates are consistent and keep the format; verdicts follow the strictest action."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luthier.screen import checks
from luthier.screen.action import Action, judge
from luthier.screen.calibration import threshold, upper_bound
from luthier.screen.screen import Screen
from luthier.screen.surrogate import Surrogates

TEXT = "Anna (anna.b@firm.com) wrote anna.b@firm.com again; card 4111 1111 1111 1111."
REDACT: dict = {"personal": "redact", "secrets": "redact"}


def told(text: str, seed: int = 1, style: str = "placeholder") -> str:
    return judge(text, Screen().find(text), REDACT, Surrogates(seed, style)).text  # type: ignore[arg-type]


def test_one_value_has_one_surrogate_and_a_run_its_own() -> None:
    marks = re.findall(r"\[EMAIL_\w+\]", told(TEXT))
    assert len(marks) == 2
    assert len(set(marks)) == 1
    assert marks[0] not in told(TEXT, seed=2)
    assert told("Write to ANNA.B@firm.com").endswith(marks[0])


def test_lifelike_surrogates_keep_the_format() -> None:
    out = told(TEXT, style="lifelike")
    card = re.search(r"\d{4} \d{4} \d{4} \d{4}", out)
    assert card
    assert card.group() != "4111 1111 1111 1111"
    assert checks.luhn(card.group())
    assert len(re.findall(r"\w+@example\.org", out)) == 2


def test_a_secret_never_gets_a_lifelike_surrogate() -> None:
    out = told("key AKIAQ3EGRT5UVW2XZ7PL end", style="lifelike")
    assert re.fullmatch(r"key \[AWS_ACCESS_KEY_\w+\] end", out)


@given(st.text(max_size=80))
def test_what_was_redacted_holds_nothing_more_that_rules_find(tail: str) -> None:
    once = told(f"mail bob.lee@firm.com or 212-555-0199. {tail}")
    assert "bob.lee" not in once
    assert "555-0199" not in once


@pytest.mark.parametrize("action", ["allow", "redact", "human", "block", "regenerate"])
def test_a_verdict_does_what_its_action_says(action: Action) -> None:
    verdict = judge(TEXT, Screen().find(TEXT), {"personal": action}, Surrogates(0))
    assert verdict.action == action
    assert verdict.text == {"allow": TEXT, "human": TEXT, "block": "", "regenerate": ""}.get(
        action, verdict.text
    )
    assert ("anna.b" in verdict.text) == (action in ("allow", "human"))
    assert verdict.counts == {"email": 2, "payment-card": 1}


@settings(deadline=None)
@given(st.integers(1, 3000), st.floats(0.002, 0.3))
def test_a_threshold_flags_no_more_than_it_promises(count: int, share: float) -> None:
    scores = [i / count for i in range(count)]
    level, bound = threshold(scores, share)  # type: ignore[arg-type]
    flagged = sum(score > level for score in scores)
    if level == float("inf"):
        assert upper_bound(0, count) > share
    else:
        assert upper_bound(flagged, count) == pytest.approx(bound)
        assert bound <= share
        assert upper_bound(flagged + 1, count) > share
