"""What an audit found, and what a repair decided, in sentences."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from luthier.explain.bias.finding import FEWEST
from luthier.explain.bias.rates import FALSE_POSITIVE
from luthier.stages.bias.measuring import NEUTRAL, SENTENCES

MOST = 8


def sentences_of(told: Mapping[str, Any]) -> list[str]:
    """The findings, the heaviest first; then what could not be said, and why."""
    if told["task"] != "classify":
        return [
            *(_pairs(told["pairs"]) if "pairs" in told else []),
            *(_questions(told["questions"]) if "questions" in told else []),
        ]
    found = [f for f in told["findings"] if f["verdict"] == "found"]
    clear = [f for f in told["findings"] if f["verdict"] == "not found"]
    silent = [f for f in told["findings"] if f["verdict"] == "cannot say"]
    heavy = sorted(found, key=lambda f: (-abs(f["value"]), f["group"]))
    places = {place for one in told["choices"].values() for place in one["probes"]}
    words = told["grouped_by"] == "words"
    lines = _named(told, places) if words else []
    lines += [_finding(f, places, words) for f in heavy[:MOST]]
    if len(heavy) > MOST:
        lines.append(f"{len(heavy) - MOST} more differences were found; bias.json lists them.")
    if not found:
        lines.append("No difference between groups was found.")
    if told.get("declared") is False and len(told["choices"]) > 1:
        lines.append(
            "Each label was taken in turn as the one that flags a text. --positive LABEL names "
            "what is harmful."
        )
    if clear:
        least = max(f["certifiable"] for f in clear)
        lines.append(
            f"In {len(clear)} comparisons no difference was found. That is no proof that there is "
            f"none: with these rows, differences below {100 * least:.0f} points may go unseen."
        )
    if silent:
        lines.append(
            f"In {len(silent)} comparisons nothing can be said: too few rows, or the word never "
            "occurs."
        )
    if told["never"]:
        listed = ", ".join(told["never"][:12])
        more = f" and {len(told['never']) - 12} more" if len(told["never"]) > 12 else ""
        lines.append(f"These words occur in no test row: {listed}{more}.")
    return lines


def decision_of(told: Mapping[str, Any]) -> list[str]:
    """What a repair came to, which conditions were not met, and what may still be done."""
    run, kept = told["run"], f"Run {told['run']} is as it was."
    if "nothing" in told:
        return [f"Nothing was repaired: {told['nothing']}. {kept}", _by_hand(run)]
    if told["accepted"]:
        return [
            f"The repair {told['kind']!r} was accepted: every condition held for "
            f"{len(told['seeds'])} seeds on the test rows. It is run {told['made']}; run {run} is "
            "as it was."
        ]
    if told["conditions"]:
        failed = [c for c in told["conditions"] if not c["held"]]
        return [
            f"The repair {told['kind']!r} was refused; run {run} is as it was.",
            *(f"Not met: {c['name']}: {c['says']}." for c in failed),
            _by_hand(run),
        ]
    if all(one["kind"] == "blind" for one in told["tried"]):
        return [f"Only a control was tried, which is not taken. {kept}"]
    near = min(told["tried"], key=lambda one: len(one["failed"]))
    return [
        f"No repair was worth the gate: each failed on the validation rows already. {kept}",
        f"Nearest came {near['kind']!r}, which failed on {' and '.join(near['failed'])}.",
        _by_hand(run),
    ]


def _by_hand(run: str) -> str:
    return (
        "What may still help: training rows about the groups that are told apart; validation and "
        "test rows enough to be sure of a smaller difference; or right labels, from luthier "
        f"explain {run} --mislabelled --out doubtful.jsonl and luthier label {run} --pool "
        f"doubtful.jsonl, learnt with luthier repair {run} --labels FILE."
    )


def _named(told: Mapping[str, Any], places: Collection[str]) -> list[str]:
    """How much of what follows rests on the test rows as they are."""
    says = f"{told['named']} of {told['rows']} test rows say a word that names a group of people"
    own = [f for f in told["findings"] if _parted(f, places)[1] == ""]
    if any(f["verdict"] != "cannot say" for f in own):
        return [f"{says}."]
    return [
        f"{says}. That is too few to compare groups in the rows as they are: one word needs "
        f"{FEWEST} rows of a kind. What follows is about words put around rows that name no group, "
        "and about made-up sentences. Where your texts do name people, test on rows that show it, "
        "or compare the values of a column with --column."
    ]


def _finding(one: Mapping[str, Any], places: Collection[str], words: bool) -> str:
    """One difference, as what it means for a text."""
    kind, place = _parted(one, places)
    rate, _, label = kind.partition(" of ")
    group, flags = f"{one['group']!r}", rate == FALSE_POSITIVE
    ends = (
        f"{100 * abs(one['value']):.0f} points {'more' if one['value'] > 0 else 'less'} often than "
        f"{'with all such words' if place else 'all rows'} ({100 * one['low']:+.0f} to "
        f"{100 * one['high']:+.0f}, {one['rows']} rows)."
    )
    if not place:
        who = f"Rows that say {group}" if words else f"Rows of {group}"
        if flags:
            return f"{who} are wrongly called {label!r} {ends}"
        return f"{who} and are {label!r} are missed {ends}"
    neutral = " (neutral: it names no group)" if place.startswith(NEUTRAL) else ""
    where = "in made-up sentences" if place.endswith(SENTENCES) else "put around test rows"
    what = f"rows are wrongly called {label!r}" if flags else f"rows that are {label!r} are missed"
    return f"With {group}{neutral} {where}, {what} {ends}"


def _parted(one: Mapping[str, Any], places: Collection[str]) -> tuple[str, str]:
    """The rate of a finding with its label, and where its words stand; "" for rows as they are."""
    kind, _, place = one["measure"].rpartition(", ")
    return (kind, place) if place in places else (one["measure"], "")


def _questions(told: Mapping[str, Any]) -> list[str]:
    lines = []
    for condition in ("ambiguous", "disambiguated"):
        one = told[condition]
        if one is None:
            lines.append(f"Of {condition} questions there are none.")
            continue
        bias = one["bias"]
        says = (
            f"it says in {100 * one['unknown']['value']:.0f} % that it cannot be known, as is right"
            if condition == "ambiguous"
            else f"it is right in {100 * one['accuracy']['value']:.0f} %"
        )
        lines.append(
            f"On {one['rows']} {condition} questions {says}; the bias score is "
            f"{100 * bias['value']:+.0f} ({100 * bias['low']:+.0f} to {100 * bias['high']:+.0f}), "
            "where +100 always takes the stereotype and 0 leans to no side."
        )
        if "gap" in one:
            gap = one["gap"]
            lines.append(
                "Right answers where the answer fits the stereotype, less those where it does not: "
                f"{100 * gap['value']:+.0f} points "
                f"({100 * gap['low']:+.0f} to {100 * gap['high']:+.0f})."
            )
    for found in told["findings"]:
        name = f"{found['group']!r}, {found['measure']}"
        if found["verdict"] == "cannot say":
            lines.append(f"{name}: nothing can be said, {found['why']}.")
        elif found["verdict"] == "found":
            lines.append(f"{name}: {100 * found['value']:+.0f} ({found['rows']} questions).")
    return lines


def _pairs(told: Mapping[str, Any]) -> list[str]:
    found = told["preferred"]
    lines = [
        f"Of {told['pairs']} pairs the stereotype is likelier in {100 * found['value']:.0f} % "
        f"({100 * found['low']:.0f} to {100 * found['high']:.0f} %); without a preference it would "
        "be 50 %. Such pairs measure loosely: take this as a hint."
    ]
    for one in told["findings"]:
        if one["verdict"] == "cannot say":
            lines.append(f"{one['group']!r}: nothing can be said, {one['why']}.")
        elif one["verdict"] == "found":
            lines.append(
                f"{one['group']!r}: the stereotype is likelier in {50 + 100 * one['value']:.0f} % "
                f"of {one['rows']} pairs."
            )
    return lines
