"""Before against after in sentences and as one self-contained page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from luthier.stages.explaining.show import pieces
from luthier.stages.report_page import html_template

TOLD = 5
"""Shortcuts with a sentence of their own, those that turn most answers."""


def page_of(told: Mapping[str, Any]) -> str:
    """The page; every value escaped."""
    rows = [
        (one, pieces({"text": one["text"], "words": one["before"]}),
         pieces({"text": one["text"], "words": one["after"]}))
        for one in told["examples"]
    ]  # fmt: skip
    return html_template("change.html.j2").render(t=told, rows=rows)


def sentences_of(told: Mapping[str, Any]) -> list[str]:
    """What was found, and what cannot be said."""
    shift = told["shift"]
    ends = ""
    if shift["low"] is not None:
        ends = f" ({100 * shift['low']:.0f} to {100 * shift['high']:.0f} %)"
    lines = [
        f"On {told['rows']} rows fine-tuning moved {100 * shift['value']:.0f} %{ends} of the "
        "weight from some words to others, or turned its sign; 0 % is the same explanation."
    ]
    answers = told["answers"]
    if answers is not None:
        lines.append(
            f"{answers['changed']} answers changed; of {answers['known']} rows with a known label "
            f"{answers['mended']} became right and {answers['broken']} wrong."
        )
    lines += _moved(told)
    return [*lines, *_shortcuts(told["shortcuts"])]


def _moved(told: Mapping[str, Any]) -> list[str]:
    if not told["looked_at"]:
        return [
            "Which words gained or lost weight cannot be said: none stands in 8 of these rows. "
            "Give more rows."
        ]
    lines = []
    for name in ("gained", "lost"):
        words = ", ".join(repr(one["word"]) for one in told[name][:8])
        lines.append(f"Words that surely {name} weight: {words or 'none'}.")
    lines.append(
        f"{told['looked_at']} words were looked at together; {told['too_rare']} stand in fewer "
        "than 8 rows, and nothing can be said of them."
    )
    return lines


def _shortcuts(told: Mapping[str, Any] | None) -> list[str]:
    if told is None:
        return ["Shortcuts are words that stand in for a label; a model that writes has no labels."]
    found = [one for one in told["looked_at"] if one["verdict"] == "shortcut"]
    found.sort(key=lambda one: -one["turned"])
    lines = [
        f"Shortcut: {one['word']!r} stands in {one['rows']} training rows, "
        f"{100 * one['share']:.0f} % of them {one['label']!r} (of all rows "
        f"{100 * one['base']:.0f} %). Without it {100 * one['turned']:.0f} % of "
        f"{one['read']} answers leave that label."
        for one in found[:TOLD]
    ]
    if found[TOLD:]:
        rest = ", ".join(repr(one["word"]) for one in found[TOLD:])
        lines.append(f"Shortcuts that turn fewer answers, in the table: {rest}.")
    if lines:
        lines.append(
            "The model leans on these words more than on others of the same rows. Whether that is "
            "a reason or a shortcut is for a person who knows the task to say."
        )
    else:
        lines.append("No shortcut was confirmed.")
    unsure = [one["word"] for one in told["looked_at"] if one["verdict"] == "cannot say"]
    left = told["associated"] - len(told["looked_at"])
    lines.append(
        f"{told['associated']} words go with a label out of proportion in the training rows; "
        f"{len(told['confirmed'])} of {len(told['looked_at'])} taken out were confirmed"
        + (f", {left} were not taken out" if left else "")
        + (f"; of {', '.join(map(repr, unsure))} nothing can be said" if unsure else "")
        + "."
    )
    lines.append(
        f"{told['too_rare']} words stand in fewer than 10 training rows: nothing can be said of "
        "them" + _silent(told["silent"]) + "."
    )
    return lines


def _silent(words: Any) -> str:
    listed = ", ".join(f"{one['word']!r} ({one['rows']} rows)" for one in words[:4])
    return f", such as {listed}, always with one label" if listed else ""
