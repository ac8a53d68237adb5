"""What training against attacks is worth and what it costs; see README.md.

    python bench/robustness/run.py [--quick] [--arms plain words]

Each arm is kept in work/, so that a run that was stopped goes on. --quick trains on few rows,
attacks few, and keeps nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "training")]

import numpy as np  # noqa: E402
from arms import Size, measure  # noqa: E402
from ledger import keep_results  # noqa: E402

DATA = Path(os.environ.get("LUTHIER_DATA", HERE.parents[2] / "shared" / "data"))
SET = "snips"
ARMS: dict[str, dict[str, Any] | None] = {
    "plain": None,
    "synonyms": {"kind": "none", "synonyms": True},
    "synonyms and spelling": {"kind": "none", "synonyms": True, "spelling": True},
    "spelling": {"kind": "none", "spelling": True},
    "words": {"kind": "words", "radius": 0.25, "weight": 1.0},
    "words, synonyms and spelling": {
        "kind": "words",
        "radius": 0.25,
        "weight": 1.0,
        "synonyms": True,
        "spelling": True,
    },
    "freelb": {"kind": "freelb", "radius": 0.1, "steps": 1, "canonicalise": False},
}
CHARACTERS = ("invisible", "lookalikes", "typos")
FULL, QUICK = Size(600, 3.0, 700, 60, 1000, 40), Size(64, 1.0, 60, 8, 60, 10)
QUESTION = (
    "How many more answers stay right under attack when near words are read as one, words were "
    "exchanged in training, or slips of the keyboard are undone, and what does it cost?"
)


def kept(arm: str, size: Size, work: Path | None) -> dict[str, Any]:
    """What an arm measured, from work/ where it is there already."""
    file = work / f"{SET}-{arm}.json" if work else None
    asked = {"adversarial": ARMS[arm], "size": asdict(size)}
    if file is not None and file.is_file():
        found = json.loads(file.read_text(encoding="utf-8"))
        if found["asked"] == asked:
            return found
    found = {"asked": asked} | measure(DATA / SET, ARMS[arm], size)
    if file is not None:
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(found), encoding="utf-8")
    robust = {name: share(rows) for name, rows in found["held"].items()}
    print(arm, round(found["seconds"], 1), np.mean(found["right"]), robust, flush=True)
    return found


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
    """The table: robust accuracy, clean accuracy, cost and characters."""
    trained = [arm for arm in ARMS if arm in found and arm not in ("plain", "spelling", "freelb")]
    rows = [_exchanged(found, arm, "plain") for arm in trained]
    rows += [_exchanged(found, "words", "freelb")] if {"words", "freelb"} <= found.keys() else []
    rows += [_clean(found, arm) for arm in (*trained, "spelling") if arm in found]
    for arm in (a for a in ARMS if a in found and a != "plain"):
        demand = 2.2 if arm in trained else None
        ratio = found[arm]["seconds"] / found["plain"]["seconds"]
        limit = {} if demand is None else {"must": f"at most {demand}x", "met": ratio <= demand}
        took = [round(found[a]["seconds"], 1) for a in (arm, "plain")]
        name = f"CPU seconds of the training stage, {arm}"
        rows.append(row(name, "plain", *took, ratio=round(ratio, 2), **limit))
    arms = [arm for arm in (*trained, "spelling") if arm in found]
    rows += [_characters(found, arm, kind) for arm in arms for kind in CHARACTERS]
    return rows


def _exchanged(found: dict[str, dict[str, Any]], arm: str, peer: str) -> dict[str, Any]:
    gain, ends = paired(found[arm]["held"]["words"], found[peer]["held"]["words"])
    demand = {"must": "+15 points", "aim": "+25", "met": gain >= 15} if peer == "plain" else {}
    what = f"right under exchanged words with {arm}, {SET}, %"
    ours, theirs = (held(found[a], "words") for a in (arm, peer))
    return row(what, peer, ours, theirs, interval=ends, **demand)


def _clean(found: dict[str, dict[str, Any]], arm: str) -> dict[str, Any]:
    ours, theirs = found[arm]["right"], found["plain"]["right"]
    loss, ends = paired(ours, theirs)
    return row(
        f"right on clean rows with {arm}, {SET}, %", "plain", share(ours), share(theirs),
        interval=ends, must="at most 0.5 lost", met=loss >= -0.5,
    )  # fmt: skip


def _characters(found: dict[str, dict[str, Any]], arm: str, kind: str) -> dict[str, Any]:
    lost, theirs = (
        round(share(found[a]["before"]) - held(found[a], kind), 2) for a in (arm, "plain")
    )
    return row(
        f"points lost to {kind} with {arm}, {SET}", "plain", lost, theirs, must="at most 2",
        aim="1",
        met=lost <= 2,
    )  # fmt: skip


def held(found: dict[str, Any], attack: str) -> float:
    """Rows still answered rightly under an attack, in per cent."""
    return share(found["held"][attack])


def share(right: list[bool]) -> float:
    """Share of true values in per cent."""
    return round(100 * sum(right) / len(right), 2)


def main() -> None:
    """Runs every arm and writes results.json."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--arms", nargs="+", choices=list(ARMS), default=list(ARMS))
    chosen = parser.parse_args()
    quick, arms = chosen.quick, sorted({"plain", *chosen.arms}, key=list(ARMS).index)
    work = None if quick else HERE / "work"
    found = {arm: kept(arm, QUICK if quick else FULL, work) for arm in arms}
    rows = rows_of(found)
    print(json.dumps(rows, indent=1))
    if not quick:
        command = shlex.join(["python", "bench/robustness/run.py", "--arms", *arms])
        keep_results(HERE, QUESTION, command, rows)


if __name__ == "__main__":
    main()
