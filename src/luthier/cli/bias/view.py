"""A bias audit and a repair for people: sentences, then tables."""

from __future__ import annotations

import shlex
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from luthier.cli.answers import show_table


def show_bias(told: Mapping[str, Any], brief: bool) -> None:
    """What was found; `brief` leaves the tables out."""
    for line in told["words"]:
        print(textwrap.fill(line, 96, subsequent_indent="  "))
    if brief or "choices" not in told:
        return
    print()
    rows = [
        [flagged, name, f"{one['carriers']} x {len(one['words'])}", _three(one["fped"]),
         _three(one["fned"]), _three(one["score_spread"])]
        for flagged, choice in told["choices"].items()
        for name, one in choice["probes"].items()
    ]  # fmt: skip
    columns = ["flagged", "words and texts", "texts", "FPED", "FNED", "scores apart"]
    show_table("The same text with every word in the same place", columns, rows)
    show_table(
        "Words of test rows exchanged for others of their kind",
        ["flagged", "axis", "rows", "answers turned", "score moved"],
        [
            [flagged, axis, one["rows"], one.get("why") or _three(one["flip_rate"]),
             _three(one.get("score_gap"))]
            for flagged, choice in told["choices"].items()
            for axis, one in choice["exchanges"].items()
        ],
    )  # fmt: skip
    mass = told["mass"]
    if "share" in mass:
        print(
            f"Words that name groups carry {100 * mass['share']['value']:.0f} % of the scores of "
            f"{mass['rows']} answers and are {100 * mass['share_of_words']['value']:.0f} % of the "
            f"words ({mass['method']})."
        )


def show_next(told: Mapping[str, Any], positive: Sequence[str]) -> None:
    """Where it stands, and what may be done about differences of a classifier."""
    print("All of it stands in bias.json and on the report of the run.")
    if "choices" in told and any(f["verdict"] == "found" for f in told["findings"]):
        flags = "".join(f" --positive {shlex.quote(label)}" for label in positive)
        print(f"Next    luthier repair {told['run']}{flags}")


def show_repair(told: Mapping[str, Any], brief: bool) -> None:
    """What was tried and decided; `brief` prints the decision only."""
    if not brief:
        for one in told["tried"]:
            print(textwrap.fill(f"{one['kind']}: {one['says']}", 96, subsequent_indent="  "))
        rows = [[c["name"], "yes" if c["held"] else "no", c["says"]] for c in told["conditions"]]
        if rows:
            show_table("Conditions", ["condition", "held", "measured"], rows)
    for line in told["words"]:
        print(textwrap.fill(line, 96, subsequent_indent="  "))


def _three(found: Mapping[str, float] | None) -> str | None:
    if found is None:
        return None
    return f"{found['value']:.2f} ({found['low']:.2f} to {found['high']:.2f})"
