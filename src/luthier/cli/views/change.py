"""What fine-tuning changed, as sentences and tables."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any

from luthier.cli.answers import show_table


def show_change(told: Mapping[str, Any], brief: bool) -> None:
    """What was found; `brief` leaves the tables out."""
    for line in [*told["notes"], *told["words"]]:
        print(textwrap.fill(line, 96, subsequent_indent="  "))
    if not brief:
        moved = [*told["gained"], *told["lost"]]
        if moved:
            show_table(
                "Words that gained and lost weight",
                ["word", "rows", "before", "after", "change", "95 % interval"],
                [
                    [one["word"], one["rows"], one["before"], one["after"], one["change"],
                     f"{one['low']:+.3f} to {one['high']:+.3f}"]
                    for one in moved
                ],
            )  # fmt: skip
        if told["shortcuts"] and told["shortcuts"]["looked_at"]:
            _shortcuts(told["shortcuts"]["looked_at"])
    print(f"The page: {told['page']}")


def _shortcuts(words: list[dict[str, Any]]) -> None:
    show_table(
        "Words out of proportion in the training rows, taken out",
        ["word", "label", "rows", "with it", "z", "log odds lost", "turned", "verdict"],
        [
            [one["word"], one["label"], one["rows"], _percent(one["share"]), f"{one['z']:.1f}",
             _apart(one), _percent(one["turned"]), one["why"] or one["verdict"]]
            for one in words
        ],
    )  # fmt: skip


def _apart(one: Mapping[str, Any]) -> str | None:
    if one["apart"] is None:
        return None
    return f"{one['apart']:+.2f} ({one['low']:+.2f} to {one['high']:+.2f})"


def _percent(share: float | None) -> str | None:
    return None if share is None else f"{100 * share:.0f} %"
