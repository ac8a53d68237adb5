"""Replays searches on recorded learning curves; see README.md.

    python bench/search_replay/run.py [--quick] [--seeds 30] [--only TASK ...] [--deep]
        [--method NAME ...]

Replays are kept in work/, so that a run that was stopped goes on. --quick replays two seeds on two
tasks, prints the rows and keeps none of them. --method replays these alone ("ours" is one) and
prints how they fared.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "training")]

from keeper import Keeper, Settings  # noqa: E402
from ledger import keep_further, keep_results  # noqa: E402
from measures import Replayed, judged  # noqa: E402
from story import SMALL, methods_told, rows, shown  # noqa: E402
from tables import Table, read  # noqa: E402

QUESTION = (
    "How much training does the search save, against the searches people run now, on recorded "
    "learning curves whose data set it has never seen?"
)
COMMAND = "python bench/search_replay/run.py"
RUNS, USUAL = 12, 6
LEAST, ENOUGH = 8, 12
"""Records of a task that serves as history, and of one that is replayed."""

PEERS = (
    "default only",
    "random",
    "grid 3x3",
    "ASHA, random",
    "chunks, peer median",
    "Optuna TPE",
    "Optuna TPE + Hyperband",
    "Optuna GP",
    "Optuna TPE + Hyperband, default first",
    "Optuna GP, default first",
    "Syne Tune ASHA",
    "Syne Tune BOHB",
    "Syne Tune zero-shot transfer",
)
OURS = (
    "ours",
    "ours, no history",
    "ours, no curves",
    "ours, no bandit",
    "ours, poisoned history",
    SMALL,
)


def main() -> None:
    """Replays everything and writes results.json and the README's tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="two seeds, two tasks, keeps nothing")
    parser.add_argument("--seeds", type=int, default=30)
    parser.add_argument("--only", nargs="*", default=[], help="names of tasks")
    parser.add_argument("--deep", action="store_true", help="records with all layers adapted")
    parser.add_argument("--method", nargs="*", default=[], choices=[*PEERS, *OURS])
    given = parser.parse_args()
    enough = LEAST if given.deep else ENOUGH
    seeds = 2 if given.quick else given.seeds
    settings = Settings(seeds, RUNS, "d" if given.deep else "s", LEAST, enough)
    tables = read(settings.depth, settings.least)
    chosen = [t for t in tables if len(t.entries) >= enough]
    chosen = [t for t in chosen if not given.only or t.name in given.only]
    chosen = chosen[:2] if given.quick else chosen
    if not chosen:
        sys.exit(f"no task has {enough} records yet; make some with bench/history/record.py")
    found = replayed(tables, settings, chosen, given.method or (*PEERS, *OURS))
    if given.method:
        print(methods_told(found))
        return
    lines = rows(found, chosen)
    for line in lines:
        print(json.dumps(asdict(line)))
    print(shown(found, chosen))
    if not (given.quick or given.only or given.deep):
        keep([asdict(line) for line in lines], settings.seeds, shown(found, chosen))


def replayed(
    tables: Sequence[Table], settings: Settings, chosen: Sequence[Table], methods: Sequence[str]
) -> dict[str, list[list[Replayed]]]:
    """For each method its replays, per chosen task and seed."""
    found: dict[str, list[list[Replayed]]] = {}
    for method in methods:
        runs = USUAL if method == SMALL else RUNS
        keeper = Keeper(tables, replace(settings, runs=runs))
        make = keeper.ours if method in OURS else keeper.peer
        found[method] = []
        for table in chosen:
            print(f"{method}: {table.name}", file=sys.stderr, flush=True)
            found[method].append([judged(table, line, runs) for line in make(table, method)])
    return found


def keep(lines: list[dict[str, Any]], seeds: int, text: str) -> None:
    """Writes the results, and the further tables into the README."""
    keep_results(HERE, QUESTION, f"{COMMAND} --seeds {seeds}", lines)
    keep_further(HERE, text)


if __name__ == "__main__":
    main()
