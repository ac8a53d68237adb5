"""Where a network ships together with words, does the test say so too?"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import ledger as ledgers
import numpy as np
import workers
from intervals import ends
from starts import SETS
from tasks import LiveTask, sample

RECORDS = Path(__file__).resolve().parent / "records" / "stacks"
TOKENS = 48
SIZES = {"train": 1000, "validation": 400, "check": 0, "test": 1500}


def measure(book: ledgers.Ledger, seeds: int, threads: int, again: bool, work: Path) -> None:
    """Every set that is not on record, seed by seed, and the lines of all that are."""
    for seed in range(seeds):
        for task in SETS:
            _recorded(task, seed, threads, again, work)
            for row in _rows():
                book.add(row)


def _recorded(task: LiveTask, seed: int, threads: int, again: bool, work: Path) -> None:
    file = RECORDS / f"{task.name}-{seed}.json"
    if file.exists() and not again:
        return
    place = work / f"stack-{task.name}-{seed}"
    shutil.rmtree(place, ignore_errors=True)
    counts = sample(task, seed, workers.DATA, place, False, SIZES)
    given = {"place": str(place), "name": place.name, "threads": threads, "task": task.name,
             "seed": seed, "epochs": 0, "tokens": TOKENS}  # fmt: skip
    found = workers.once("../search_live/ours/stack.py", given, threads)
    about = {"task": task.name, "seed": seed, "rows": counts, "machine": ledgers.machine(),
             "commit": ledgers.commit()}  # fmt: skip
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(about | found, indent=1) + "\n", encoding="utf-8")
    shutil.rmtree(place)
    gap = float(np.mean(_gap(found)))
    print(f"{place.name}: {found['stack']['why']}; test {gap:+.4f}", file=sys.stderr, flush=True)


def _gap(found: dict[str, Any]) -> np.ndarray[Any, np.dtype[np.float64]]:
    ships, alone = (np.asarray([float(c) for c in found[k]]) for k in ("ships", "alone"))
    return ships - alone


def _rows() -> list[ledgers.Row]:
    """Where both ship: mean gain with sets drawn anew, and how many were lost by it."""
    every = [json.loads(f.read_text(encoding="utf-8")) for f in sorted(RECORDS.glob("*.json"))]
    kept = [found for found in every if found["stack"]["kept"]]
    rows = [ledgers.Row(
        "searches at whose end network and words ship together", "the network alone",
        float(len(kept)), None, None, None, f"reported; of {len(every)}", "—", True,
    )]  # fmt: skip
    if not kept:
        return rows
    lost = sum(ends(_gap(found))[1] < 0 for found in kept)
    rows.append(ledgers.Row(
        "networks shipped together with words that are worse on test beyond the interval",
        "the network alone", float(lost), None, None, None, f"0; of {len(kept)}", "0", lost == 0,
    ))  # fmt: skip
    pairs = np.asarray([_means(found) for found in kept])
    gaps = pairs[:, 0] - pairs[:, 1]
    low, high = ends(gaps)
    ours, theirs = pairs.mean(axis=0)
    rows.append(ledgers.Row(
        "test accuracy where network and words shipped together, mean", "the network alone",
        round(float(ours), 4), round(float(theirs), 4), round(float(ours / theirs), 3),
        (round(low, 4), round(high, 4)),
        f"not below beyond the interval; {', '.join(sorted({k['task'] for k in kept}))}",
        "above beyond it", high >= 0,
    ))  # fmt: skip
    return rows


def _means(found: dict[str, Any]) -> tuple[float, float]:
    ships, alone = (float(np.mean([c == "1" for c in found[k]])) for k in ("ships", "alone"))
    return ships, alone
