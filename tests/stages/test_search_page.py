"""The search section of a report: what it says of a search, and how."""

from __future__ import annotations

from typing import Any

import pytest

from luthier.search.trial import Trial
from luthier.stages.page.data import ReportData
from luthier.stages.page.search import search_part
from luthier.stages.report_page import render
from luthier.stages.tuning.telling.story import lineage, went_on

HOSTILE = "<img src=x onerror=alert(1)>"


def trial(name: str, source: str, *curve: float, **changes: Any) -> dict[str, Any]:
    units = (1, 2, 4, 8, 16)
    return {
        "id": name,
        "source": source,
        "status": "finished" if len(curve) == 5 else "frozen",
        "reason": "" if len(curve) == 5 else "behind t000 row by row",
        "config": {"rate_offset": 0.0, "adapter.rank": 16} | changes,
        "curve": [list(pair) for pair in zip(units, curve, strict=False)],
        "seconds": 3.0 * len(curve),
        "measures": {"memory_mb": 100.0 + len(name), "f1": 0.5},
        "seed": 0,
    }


def story(**changes: Any) -> dict[str, Any]:
    """What a search of four trials left in search.json."""
    return {
        "metric": "accuracy", "budget": "6x one run", "stopped": "the budget is spent",
        "trials": [
            trial("t000", "default", 0.5, 0.55, 0.6, 0.65, 0.7),
            trial("t001", "portfolio", 0.5, 0.6, 0.7, 0.75, 0.8, rate_offset=0.30103),
            trial("t002", "prior", 0.4, 0.4, 0.45),
            trial("t003", "prior", rate_offset=1.4) | {"status": "diverged", "reason": "no number"},
        ],
        "winner": "t001", "why": "its advantage is sure", "advantage": 0.08,
        "advantage_error": 0.02, "default_score": 0.7, "winner_score": 0.8,
        "cost": 39.0, "one_run": 15.0,
        "importance": {"rate_offset": [0.7, 0.6, 0.8], "adapter.rank": [0.1, 0.0, 0.2]},
        "shares": {"portfolio": 0.1}, "front": ["t001"], "objectives": ["accuracy"],
        "history": {"tasks": 3, "weights": {"cards": 0.4, "news": 0.2}, "portfolio": []},
        "advice": "Use the values of trial t001.",
    } | changes  # fmt: skip


def page(told: dict[str, Any] | None, higher: bool = True) -> str:
    part = None if told is None else search_part(told, higher)
    return render(
        ReportData("A title", "run-1", "today", "classify", "m", "LoRA", "accuracy", {"test": 40},
                   search=part)
    )  # fmt: skip


def test_a_run_without_a_search_has_no_section() -> None:
    text = page(None)
    assert 'id="search"' not in text and "#search" not in text


def test_a_beginner_reads_the_advice_first() -> None:
    text = page(story())
    assert 'href="#search"' in text
    section = text[text.index('id="search"') :]
    assert section.index("Use the values of trial t001.") < section.index("<svg")
    assert "2.6 times one run" in section


def test_a_winner_that_went_on_from_another_trial_says_so() -> None:
    """Its values alone do not give the model, and who runs them again must not be misled."""
    trials = [Trial("t000", {}, "default"), Trial("t001", {}, "prior")]
    trials += [Trial("t002", {}, "clone", parent="t001"), Trial("t003", {}, "clone", parent="t002")]
    assert went_on(lineage(trials[1], trials)) == ""
    said = went_on(lineage(trials[3], trials))
    assert "t002, which went on from t001" in said and "about 3 times" in said
    told = story()
    told["trials"][1]["parent"] = "t002"
    assert "began where t002 was" in page(told) and "began where" not in page(story())


def test_every_trial_is_told_with_what_it_changed_and_why_it_ended() -> None:
    text = page(story())
    for name in ("t000", "t001", "t002", "t003"):
        assert f'<th scope="row">{name}' in text
    assert "learning rate ×2" in text and "learning rate ×25.1" in text
    assert "behind t000 row by row" in text and "no number" in text
    assert text.count("4/16") == 1 and text.count("0/16") == 1


def test_the_recipe_and_the_winner_stand_out_of_all_curves() -> None:
    text = page(story())
    assert text.count('<polyline class="line line-0"') == 1
    assert text.count('<polyline class="line line-1"') == 1
    assert text.count('<polyline class="line faint"') == 1
    kept = page(story(winner="t000", shares={}))
    assert kept.count('<polyline class="line line-0"') == 1
    assert kept.count('<polyline class="line faint"') == 2
    assert "Shipped</dt><dd>the same" in kept
    assert "No finished trial scored above" in kept


def test_what_brought_the_gain_is_divided_between_earlier_tasks_and_this_search() -> None:
    text = page(story(shares={"portfolio": 0.03, "refine": 0.01}))
    assert "75&nbsp;% of it came from what served earlier tasks best" in text
    assert "25&nbsp;% from searching here" in text


def test_the_history_is_told_with_its_weights() -> None:
    text = page(story())
    assert "3 earlier tasks" in text and "this task itself counts 40&nbsp;%" in text
    assert "cards" in text and "news" in text
    none = page(story(history={"tasks": 0, "weights": {}}))
    assert "no earlier task of this kind" in none


def test_a_metric_that_falls_is_best_when_lowest() -> None:
    told = story(metric="mae", objectives=["mae"], default_score=0.5, winner_score=0.4)
    part = search_part(told, higher=False)
    assert part.trials[0].best == 0.5
    assert "−0.100" in page(told, higher=False)


def test_two_objectives_are_drawn_against_each_other() -> None:
    assert "Trade-offs" not in page(story())
    text = page(story(objectives=["accuracy", "memory_mb"], front=["t001", "t000"]))
    assert "Accuracy against memory_mb" in text
    part = search_part(story(objectives=["accuracy", "memory_mb"], front=["t001"]), True)
    assert [(p.trial, p.y, p.on_front) for p in part.traded] == [
        ("t000", 0.7, False), ("t001", 0.8, True),
    ]  # fmt: skip


def test_few_trials_say_so() -> None:
    assert "Too few trials to tell" in page(story(importance={}))


def test_hostile_words_stay_text() -> None:
    told = story(advice=HOSTILE, why=HOSTILE, stopped=HOSTILE, budget=HOSTILE)
    told["history"]["weights"] = {HOSTILE: 0.5}
    told["trials"][1] |= {"reason": HOSTILE, "source": HOSTILE, "config": {HOSTILE: HOSTILE}}
    assert "<img" not in page(told)


@pytest.mark.parametrize("objectives", [["accuracy"], ["accuracy", "memory_mb"]])
def test_it_is_saved_and_read_again(objectives: list[str]) -> None:
    report = ReportData(
        "A title", "run-1", "today", "classify", "m", "LoRA", "accuracy", {"test": 40},
        search=search_part(story(objectives=objectives), True),
    )  # fmt: skip
    assert ReportData.from_dict(report.as_dict()) == report
