"""Explanations as one self-contained page: no script, no request, readable without colours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from luthier.stages.report_page import html_template


def page_of(told: Mapping[str, Any]) -> str:
    """The page of what `explain` found; every value escaped."""
    parts = [pieces(one) for one in told["explanations"]]
    named = rows_named(told["explanations"])
    return html_template("explain.html.j2").render(
        t=told, pairs=list(zip(told["explanations"], parts, strict=True)), gate=told["gate"],
        named=named, anchors={place: f"row-{n}" for n, place in enumerate(named, start=1)},
    )  # fmt: skip


def rows_named(explanations: Sequence[Mapping[str, Any]]) -> dict[tuple[str, int], Any]:
    """The training rows that answers name, each once, by file and row, in order of the file."""
    found = {
        (str(row["file"]), int(row["row"])): row
        for one in explanations
        for part in ("for", "against", "near")
        for row in one.get("learned_from", {}).get(part, ())
    }
    return {place: found[place] for place in sorted(found)}


def pieces(one: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The text in pieces: between words nothing, for words their side, strength 0 to 1, and
    the width of the line below them in pixels, so that colour is never the only sign."""
    most = max((abs(word["score"]) for word in one["words"]), default=0.0) or 1.0
    found: list[dict[str, Any]] = []
    last = 0
    for word in one["words"]:
        start, stop = word["ends"]
        if start > last:
            found.append({"text": one["text"][last:start], "side": ""})
        strength = abs(word["score"]) / most
        found.append(
            {
                "text": one["text"][start:stop],
                "side": "for" if word["score"] >= 0 else "against",
                "strength": round(strength, 3),
                "line": round(1 + 4 * strength) if strength >= 0.05 else 0,
                "score": word["score"],
            }
        )
        last = stop
    found.append({"text": one["text"][last:], "side": ""})
    return found
