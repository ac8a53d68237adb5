"""An audit for people: proved and demonstrated, one under the other."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from luthier.cli.answers import show_table, shown


def show_audit(told: Mapping[str, Any], brief: bool) -> None:
    """Everything in sentences; `brief` prints the last one only."""
    words = told["words"]
    if not brief:
        _say("What is proved", words["proved"])
        _say("What was demonstrated", words["demonstrated"])
        rows = [
            [e["row"], f"{e['share_as_high']:.2%} [{e['low']:.2%}, {e['high']:.2%}]"]
            for e in told["exposed"]
        ]
        show_table("Rows that stand out most", ["row", "others that score as high"], rows)
        for line in words["luck"]:
            print(textwrap.fill(line, 96))
        print("\nKept as audit.json in the folder of the run, and in its report.")
    for line in words["together"]:
        print(line)


def show_budget(told: Mapping[str, Any]) -> None:
    """What a data set has spent, run by run."""
    rows = [[r["run"], r["steps"], shown(r["epsilon"]), r["held"]] for r in told["runs"]]
    show_table("Charged", ["run", "updates", "epsilon alone", "held, not charged"], rows)
    print(
        f"Data set {told['dataset'][:16]}: epsilon {told['epsilon']:.2f} at delta "
        f"{told['delta']:g}, all runs together. Nothing is ever paid back."
    )


def _say(title: str, lines: Sequence[str]) -> None:
    print(title)
    for line in lines:
        print(textwrap.indent(textwrap.fill(line, 96), "  "))
    print()
