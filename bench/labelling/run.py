"""Replays labelling on six sets; see README.md.

    python bench/labelling/run.py [--quick] [--seeds 10] [--only SET ...]

Replays are kept in work/, so that a run that was stopped goes on. --quick replays two seeds on one
set, prints the rows and keeps none of them.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
from pathlib import Path
from typing import Any

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "fewshot"), str(HERE.parent / "training")]

from ledger import keep_further, keep_results  # noqa: E402
from measures import further, rows  # noqa: E402
from replay import METHODS, replay, whole_score  # noqa: E402
from sets import load  # noqa: E402

QUESTION = (
    "How many labels does a person save who is asked the rows that teach most, and does the "
    "forecast of what more labels bring hold?"
)
SETS = (
    "snips",
    "mts_dialog",
    "medical_abstracts",
    "twitter_financial_sentiment",
    "sentfin",
    "banking77",
)
FEWER = {"sentfin": 5, "banking77": 3}
"""Draws of sets whose replays take minutes."""
MOST = 4000
"""Labels at which a replay ends in any case."""
VECTORS, WORK = HERE.parent / "fewshot" / "work", HERE / "work"
SOURCES = ("query.py", "queries", "asking", "curve.py", "rungs/linear.py", "rungs/zero.py")


def main() -> None:
    """Replays everything and writes results.json and the README's tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="two seeds, one set, keeps nothing")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--only", nargs="*", default=[], help="names of sets")
    given = parser.parse_args()
    names = ["snips"] if given.quick else [s for s in SETS if not given.only or s in given.only]
    draws = {name: min(given.seeds, FEWER.get(name, given.seeds)) for name in names}
    found = {name: kept(name, 2 if given.quick else draws[name]) for name in names}
    lines = rows(found)
    for line in lines:
        print(json.dumps(line))
    print(further(found))
    if not (given.quick or given.only):
        keep(lines, given.seeds, further(found))


def kept(name: str, seeds: int) -> dict[str, Any]:
    """The replays of a set by method, from work/ where they are there, and its whole score."""
    data = load(name, VECTORS)
    whole = whole_score(data)
    found: dict[str, Any] = {"whole": whole, "classes": len(data.labels)}
    for method in METHODS:
        WORK.mkdir(exist_ok=True)
        file = WORK / f"{name}.{method}.{digest()}.jsonl"
        lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
        done = {line["seed"]: line for line in map(json.loads, lines)}
        for seed in range(seeds):
            if seed not in done:
                print(f"{name}: {method}, draw {seed}", file=sys.stderr, flush=True)
                done[seed] = replay(data, method, seed, whole, MOST)
                with file.open("a", encoding="utf-8") as out:
                    out.write(json.dumps(done[seed]) + "\n")
        found[method] = [done[seed] for seed in range(seeds)]
    return found


def digest() -> str:
    """Of the code that replays depend on."""
    root = HERE.parent.parent / "src" / "luthier" / "fewshot"
    files = [f for s in SOURCES for f in (sorted((root / s).rglob("*.py")) or [root / s])]
    files = [f for f in files if f.name not in ("sheet.py", "stopping.py")]
    text = "".join(hashlib.sha256(f.read_bytes()).hexdigest() for f in [*files, HERE / "replay.py"])
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def keep(lines: list[dict[str, Any]], seeds: int, text: str) -> None:
    """Writes the results, and the further tables into the README."""
    keep_results(HERE, QUESTION, f"python bench/labelling/run.py --seeds {seeds}", lines)
    keep_further(HERE, text)


if __name__ == "__main__":
    main()
