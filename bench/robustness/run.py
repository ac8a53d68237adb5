"""What training against attacks is worth and what it costs; see README.md.

    python bench/robustness/run.py [--quick] [--arms plain words] [--draws 3] [--minutes M]

Cells are kept in cells/, which is committed, so that a run that was stopped goes on anywhere; no
cell is begun after M minutes. --quick trains on few rows, attacks few, and keeps nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
import time
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import Any

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "training")]

import numpy as np  # noqa: E402
from arms import Size, measure  # noqa: E402
from cells import Cells  # noqa: E402
from ledger import keep_results  # noqa: E402

DATA = Path(os.environ.get("LUTHIER_DATA", HERE.parents[2] / "shared" / "data"))
SET = "snips"
ARMS: dict[str, dict[str, Any] | None] = {
    "plain": None,
    "synonyms": {"kind": "none", "synonyms": True},
    "synonyms and spelling": {"kind": "none", "synonyms": True, "spelling": True},
    "spelling": {"kind": "none", "spelling": True},
    "spelling, unknown words as one": {
        "kind": "none",
        "spelling": True,
        "unknown_words": "one",
    },
    "words": {"kind": "words", "radius": 0.25, "weight": 1.0},
    "words and synonyms": {"kind": "words", "radius": 0.25, "weight": 1.0, "synonyms": True},
    "words, synonyms and spelling": {
        "kind": "words",
        "radius": 0.25,
        "weight": 1.0,
        "synonyms": True,
        "spelling": True,
    },
    "freelb": {"kind": "freelb", "radius": 0.1, "steps": 1, "canonicalise": False},
}
KEPT = Cells(HERE / "cells" / "arms.jsonl")
CHOSE = 3
"""Draws by which rules of `synonyms` were chosen; later ones had no part in it."""
FOR_WORDS, FOR_SLIPS = "synonyms", "spelling, unknown words as one"
CHARACTERS = ("invisible", "lookalikes", "typos")
FULL = Size(600, 3.0, 700, (60, 1000), (200, 40))
QUICK = Size(64, 1.0, 60, (8, 60), (8, 10))
QUESTION = (
    "How many more answers stay right under attack when near words are read as one, words were "
    "exchanged in training, or slips of the keyboard are undone, and what does it cost?"
)


def kept(arm: str, draw: int, size: Size, end: float, keep: bool) -> dict[str, Any] | None:
    """What an arm measured in a draw, from cells/ where it is there; None after the `end`."""
    name = f"{SET}-{arm}-{draw}"
    # As it comes back from a file.
    asked = json.loads(json.dumps({"adversarial": ARMS[arm], "size": asdict(size)}))
    there = KEPT.get(name) if keep else None
    if there and there["asked"] == asked:
        return there
    if time.monotonic() > end:
        return None
    found = {"asked": asked} | measure(DATA / SET, ARMS[arm], size, draw)
    if keep:
        KEPT.keep(name, found)
    robust = {name: share(rows) for name, rows in found["held"].items()}
    print(arm, draw, round(found["seconds"], 1), np.mean(found["right"]), robust, flush=True)
    return found


def pooled(draws: list[dict[str, Any]]) -> dict[str, Any]:
    """The rows of all draws end to end, and the seconds of all."""

    def joined(part: Any) -> list[bool]:
        return list(chain.from_iterable(part(draw) for draw in draws))

    held = {name: joined(lambda d, n=name: d["held"][n]) for name in draws[0]["held"]}
    told = {name: joined(lambda d, n=name: d[n]) for name in ("right", "before")}
    return told | {"held": held, "seconds": [d["seconds"] for d in draws], "draws": len(draws)}


def paired(ours: list[bool], theirs: list[bool]) -> tuple[float, list[float]]:
    """Difference of two shares on the same rows in points, with a bootstrap interval."""
    apart = np.asarray(ours, float) - np.asarray(theirs, float)
    dice = np.random.default_rng(0)
    means = apart[dice.integers(0, len(apart), (2000, len(apart)))].mean(1)
    low, high = np.quantile(means, (0.025, 0.975))
    return round(100 * float(apart.mean()), 2), [round(100 * float(x), 2) for x in (low, high)]


def row(what: str, peer: str, ours: float, theirs: float | None, **more: Any) -> dict[str, Any]:
    """A line of the table; a line without a demand is met."""
    plain = {"ratio": None, "interval": None, "must": "reported", "aim": "—", "met": True}
    return {"what": what, "peer": peer, "ours": ours, "theirs": theirs} | plain | more


def rows_of(found: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """The table: robust accuracy, clean accuracy, cost and characters; the demands are on the way
    that is meant for an attack."""
    arms = [arm for arm in ARMS if arm in found and arm != "plain"]
    rows = [_exchanged(found, arm, "plain") for arm in arms]
    rows += [_exchanged(found, "words", "freelb")] if {"words", "freelb"} <= found.keys() else []
    rows += [_clean(found, arm) for arm in arms]
    rows += [_cost(found, arm) for arm in arms]
    return rows + [_characters(found, arm, kind) for arm in arms for kind in CHARACTERS]


def fresh(cells: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """The way meant for exchanged words on the draws that chose nothing, without demands."""
    later = {arm: draws[CHOSE:] for arm, draws in cells.items()}
    if not later.get(FOR_WORDS) or not later["plain"]:
        return []
    found = {arm: pooled(later[arm]) for arm in ("plain", FOR_WORDS)}
    free = {"must": "reported", "aim": "—", "met": True}
    lines = (_exchanged(found, FOR_WORDS, "plain"), _clean(found, FOR_WORDS))
    return [line | free | {"what": f"{line['what']}, from draw {CHOSE} on"} for line in lines]


def _exchanged(found: dict[str, dict[str, Any]], arm: str, peer: str) -> dict[str, Any]:
    gain, ends = paired(*_same(found, arm, peer, lambda one: one["held"]["words"]))
    asked = arm == FOR_WORDS and peer == "plain"
    demand = {"must": "+15 points", "aim": "+25", "met": gain >= 15} if asked else {}
    ours, theirs = _same(found, arm, peer, lambda one: one["held"]["words"])
    what = f"right under exchanged words with {arm}, {_where(found, arm)}, %"
    return row(what, peer, share(ours), share(theirs), interval=ends, **demand)


def _clean(found: dict[str, dict[str, Any]], arm: str) -> dict[str, Any]:
    ours, theirs = _same(found, arm, "plain", lambda one: one["right"])
    loss, ends = paired(ours, theirs)
    demand = {"must": "at most 0.5 lost", "met": loss >= -0.5} if arm == FOR_WORDS else {}
    what = f"right on clean rows with {arm}, {_where(found, arm)}, %"
    return row(what, "plain", share(ours), share(theirs), interval=ends, **demand)


def _cost(found: dict[str, dict[str, Any]], arm: str) -> dict[str, Any]:
    """The middle of the ratios, one for each draw."""
    pairs = list(zip(found[arm]["seconds"], found["plain"]["seconds"], strict=False))
    ratios = sorted(mine / plain for mine, plain in pairs)
    ratio = float(np.median(ratios))
    limit = {"must": "at most 2.2x", "met": ratio <= 2.2} if arm == FOR_WORDS else {}
    took = [round(float(np.median(side)), 1) for side in zip(*pairs, strict=True)]
    ends = [round(ratios[0], 2), round(ratios[-1], 2)]
    name = f"CPU seconds of the training stage, {arm}"
    return row(name, "plain", *took, ratio=round(ratio, 2), interval=ends, **limit)


def _characters(found: dict[str, dict[str, Any]], arm: str, kind: str) -> dict[str, Any]:
    def lost(name: str) -> float:
        return round(share(found[name]["before"]) - share(found[name]["held"][kind]), 2)

    demand = {"must": "at most 2", "aim": "1", "met": lost(arm) <= 2} if arm == FOR_SLIPS else {}
    what = f"points lost to {kind} with {arm}, {_where(found, arm)}"
    return row(what, "plain", lost(arm), lost("plain"), **demand)


def _same(found: dict[str, dict[str, Any]], arm: str, peer: str, part: Any) -> tuple[list, list]:
    """That part of both over the draws that both have."""
    mine, theirs = part(found[arm]), part(found[peer])
    both = min(len(mine), len(theirs))
    return mine[:both], theirs[:both]


def _where(found: dict[str, dict[str, Any]], arm: str) -> str:
    draws = found[arm]["draws"]
    return f"{SET}, {draws} draw{'s' * (draws > 1)}"


def share(right: list[bool]) -> float:
    """Share of true values in per cent."""
    return round(100 * sum(right) / len(right), 2)


def main() -> None:
    """Measures every arm draw by draw and writes results.json."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--arms", nargs="+", choices=list(ARMS), default=list(ARMS))
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--minutes", type=float, default=600)
    chosen = parser.parse_args()
    quick, arms = chosen.quick, sorted({"plain", *chosen.arms}, key=list(ARMS).index)
    end = time.monotonic() + 60 * chosen.minutes
    cells: dict[str, list[dict[str, Any]]] = {}
    for draw in range(1 if quick else chosen.draws):
        for arm in arms:
            # Draws are paired, so an arm that lacks one has none after it.
            if len(cells.setdefault(arm, [])) == draw:
                one = kept(arm, draw, QUICK if quick else FULL, end, not quick)
                cells[arm] += [one] if one else []
    rows = rows_of({arm: pooled(draws) for arm, draws in cells.items() if draws}) + fresh(cells)
    print(json.dumps(rows, indent=1))
    if not quick:
        command = shlex.join(["python", "bench/robustness/run.py", "--arms", *arms])
        keep_results(HERE, QUESTION, command, rows)


if __name__ == "__main__":
    main()
