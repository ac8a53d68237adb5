"""Would earlier tasks have chosen the rung better? From the cells of run.py; see README.md.

python bench/fewshot/past.py
"""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "training"))

from cells import Cells as Kept  # noqa: E402

BUDGETS = ("0", "1", "2", "4", "8", "16", "32", "64", "10p")
RUNGS = (
    "zero-shot", "described probe", "linear probe", "lexical", "average", "scaled", "stacked",
    "self-trained",
)  # fmt: skip
DRAWN = 2.0
"""How many tasks' worth of doubt draws what others gained towards nothing."""
DRAWS = 2000

Cells = dict[tuple[str, str], dict[str, float]]


def cells() -> Cells:
    """Mean test accuracy in percent over draws, by set and budget, then rung."""
    found: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for title, each in sorted(Kept(HERE / "cells" / "ladder.jsonl").all().items()):
        match = re.fullmatch(r"(.+)-(\w+)-(\d+)", title)
        assert match is not None
        found[match[1], match[2]].append(each["methods"])
    return {
        cell: {
            name: float(np.mean([100 * d[name]["accuracy"] for d in draws]))
            for name in ("ladder", *RUNGS)
            if all(name in d for d in draws)
        }
        for cell, draws in found.items()
    }


def from_past(every: Cells, cell: tuple[str, str]) -> str:
    """The rung that gained most over `stacked` on all other sets, budgets further away counting
    half each step; without labels there is but one."""
    own, place = every[cell], BUDGETS.index(cell[1])
    if cell[1] == "0":
        return "zero-shot"
    gained = dict.fromkeys((r for r in RUNGS if r in own), 0.0)
    for name in gained:
        pairs = [
            (0.5 ** abs(BUDGETS.index(budget) - place), there[name] - there["stacked"])
            for (other, budget), there in every.items()
            if other != cell[0] and budget != "0" and name in there
        ]
        weights = sum(w for w, _ in pairs)
        gained[name] = sum(w * gain for w, gain in pairs) / (weights + DRAWN)
    return max(gained, key=lambda name: gained[name])


def main() -> None:
    """Prints points below the best rung in hindsight, with an interval over sets."""
    every = cells()
    sets = sorted({name for name, _ in every})
    fixed = {c: "zero-shot" if c[1] == "0" else "stacked" for c in every}
    past = {c: from_past(every, c) for c in every}
    for what, picked in (
        ("the ladder's choice", dict.fromkeys(every, "ladder")),
        ("always stacked", fixed),
        ("as earlier tasks would have it", past),
    ):
        below = {
            c: max(v for n, v in own.items() if n in RUNGS) - own[picked[c]]
            for c, own in every.items()
        }
        by_set = np.asarray([np.mean([v for c, v in below.items() if c[0] == s]) for s in sets])
        drawn = np.random.default_rng(0).integers(len(sets), size=(DRAWS, len(sets)))
        low, high = np.quantile(by_set[drawn].mean(axis=1), [0.025, 0.975])
        print(f"{what}: {by_set.mean():.2f} points below the best rung ({low:.2f} to {high:.2f})")
    same = sum(past[c] == fixed[c] for c in every)
    print(f"earlier tasks name the ladder's own first rung in {same} of {len(every)} cells")


if __name__ == "__main__":
    main()
