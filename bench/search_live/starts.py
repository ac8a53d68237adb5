"""Does training from a part of the linear probe end higher than from the whole of it?"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import ledger as ledgers
import numpy as np
import workers
from intervals import ends
from tasks import TASKS, LiveTask, sample

RECORDS = Path(__file__).resolve().parent / "records" / "starts"
SETS = (
    *TASKS,
    LiveTask("hatexplain", "text", "label"),
    LiveTask("banking77", "text", "label"),
    LiveTask("twitter_financial_sentiment", "text", "label"),
    LiveTask("medical_abstracts", "text", "label"),
)
SHARES = ("auto", 1.0)
TOKENS = 32


def measure(book: ledgers.Ledger, seeds: int, threads: int, again: bool, work: Path) -> None:
    """Every set that is not on record, seed by seed, and the line of all that are."""
    for seed in range(seeds):
        for task in SETS:
            _recorded(task, seed, threads, again, work)
            book.add(_row(seeds))


def _recorded(task: LiveTask, seed: int, threads: int, again: bool, work: Path) -> None:
    file = RECORDS / f"{task.name}-{seed}.json"
    if file.exists() and not again:
        return
    place = work / f"start-{task.name}-{seed}"
    shutil.rmtree(place, ignore_errors=True)
    sample(task, seed, workers.DATA, place, quick=False)
    test = [(place / f"{part}.jsonl").read_text(encoding="utf-8") for part in ("check", "test")]
    (place / "test.jsonl").write_text("".join(test), encoding="utf-8")
    # No number of passes: what a recipe without one does is asked.
    given = {"place": str(place), "name": place.name, "threads": threads, "shares": SHARES,
             "task": task.name, "seed": seed, "epochs": 0, "tokens": TOKENS}  # fmt: skip
    found = workers.once("../search_live/ours/start.py", given, threads)
    about = {"task": task.name, "seed": seed, "shares": SHARES, "rows": "".join(test).count("\n"),
             "machine": ledgers.machine(), "commit": ledgers.commit()}  # fmt: skip
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(about | found, indent=1) + "\n", encoding="utf-8")
    shutil.rmtree(place)
    print(f"{place.name}: {found['accuracies']}", file=sys.stderr, flush=True)


def _row(seeds: int) -> ledgers.Row:
    """Mean accuracy over the sets, and the interval of the difference with sets drawn anew."""
    found = [json.loads(f.read_text(encoding="utf-8")) for f in sorted(RECORDS.glob("*.json"))]
    by_set: dict[str, list[list[float]]] = {}
    for record in found:
        by_set.setdefault(record["task"], []).append(record["accuracies"])
    means = np.asarray([np.mean(pairs, axis=0) for pairs in by_set.values()])
    gaps = means[:, 0] - means[:, 1]
    low, high = ends(gaps)
    ours, theirs = means.mean(axis=0)
    higher = int((gaps > 0).sum())
    return ledgers.Row(
        "test accuracy of an ordinary run that starts from a part of the probe, mean of sets",
        "the same run, started from the whole probe",
        round(float(ours), 4), round(float(theirs), 4), round(float(ours / theirs), 3),
        (round(low, 4), round(high, 4)),
        f"not below beyond the interval; higher on {higher} of {len(gaps)}, "
        f"{len(found)} of {seeds * len(SETS)} draws so far", "above beyond it", high >= 0,
    )  # fmt: skip
