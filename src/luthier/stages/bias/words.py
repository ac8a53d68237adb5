"""What an audit found, in sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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
    lines = [_finding(f) for f in heavy[:MOST]]
    if len(heavy) > MOST:
        lines.append(f"{len(heavy) - MOST} more differences were found; bias.json lists them.")
    if not found:
        lines.append("No difference between groups was found.")
    if told.get("declared") is False and len(told["choices"]) > 1:
        lines.append(
            "Each label was taken in turn as the one that flags a text: a rate 'of' a label counts "
            "the rows answered with it as flagged. --positive LABEL names what is harmful."
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


def _finding(one: Mapping[str, Any]) -> str:
    side = "higher" if one["value"] > 0 else "lower"
    return (
        f"{one['group']!r}: the {one['measure']} is {100 * abs(one['value']):.0f} points {side} "
        f"than for everybody ({100 * one['low']:+.0f} to {100 * one['high']:+.0f}, "
        f"{one['rows']} rows)."
    )


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
                f"Where the right answer fits the stereotype it is right {100 * gap['value']:+.0f} "
                f"points more often ({100 * gap['low']:+.0f} to {100 * gap['high']:+.0f})."
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
