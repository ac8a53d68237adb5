"""Is the second of two similar searches faster because of the first? See README.md.

    python bench/search_second/run.py [--quick] [--seeds 3]

Each search is one file of `records/`; those that are there are not made again.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "training"))

from ledger import Row, keep_results  # noqa: E402

DATA = Path(os.environ.get("LUTHIER_DATA", HERE.parents[2] / "shared" / "data"))
QUESTION = "Is the second of two similar searches faster because of what the first one left?"
COMMAND = "python bench/search_second/run.py"
RATE, BUDGET = 5e-5, "8x one run"
"""The learning rate that Trainer has where nobody says one; for LoRA it is too small."""
SOURCES = ("portfolio", "transfer", "target", "refine", "prior")
"""All but clones: these train on from another trial, which no history can make shorter."""
ROWS = {"train": 400, "validation": 150, "test": 200}
WHOLE = 16
"""Units of a whole run."""
NEAR = 0.01
"""A model is as good as the best when its bits per byte are at most so much more, as a share."""
TASKS = {"first": True, "second": False}
"""Descriptions that name a kind of place, and those that do not."""


def main() -> None:
    """Searches what is not on record, then writes the lines."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="one seed, few rows; keeps nothing")
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary) if given.quick else HERE / "records"
        found = [
            pair(seed, place, given.quick) for seed in range(1 if given.quick else given.seeds)
        ]
    lines = [asdict(line) for line in rows(found)]
    print(json.dumps(lines, indent=1))
    if not given.quick:
        keep_results(HERE, QUESTION, COMMAND, lines)


def pair(seed: int, place: Path, quick: bool) -> dict[str, dict[str, Any]]:
    """The first search; then the second beside it in one store, and in an empty one."""
    place.mkdir(parents=True, exist_ok=True)
    file = place / f"{seed}.json"
    if file.exists():
        kept: dict[str, dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))
        return kept
    with tempfile.TemporaryDirectory() as temporary:
        home = Path(temporary)
        found = {
            "first": searched(home / "shared", "first", seed, quick),
            "second": searched(home / "shared", "second", seed, quick),
            "alone": searched(home / "alone", "second", seed, quick),
        }
    file.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return found


def searched(home: Path, task: str, seed: int, quick: bool) -> dict[str, Any]:
    """One search: its trials, what the report says of earlier tasks, and the test result."""
    from luthier.core.progress import Silence
    from luthier.recipe.load import recipe_from_dict
    from luthier.stages.api import run
    from luthier.store.store import Store

    folder = home / task
    write(folder, task, seed, quick)
    recipe = {
        "task": "instruct",
        "data": {f"{part}": f"{part}.jsonl" for part in ROWS} | {"allow_leakage": True},
        "model": {"id": "embedded:causal", "precision": "float32"},
        "train": {"learning_rate": RATE, "epochs": 1, "seed": seed},
        "evaluate": {"generate_rows": 8, "max_new_tokens": 24, "forgetting": False},
        "tune": {
            "budget": BUDGET, "maximize": "bits_per_byte", "seeds": 0, "sources": list(SOURCES),
        },
    }  # fmt: skip
    done = run(recipe_from_dict(recipe, task), folder, Silence(), Store.open(folder=home / "store"))
    told = done.search or {}
    trials = [
        {"id": t["id"], "source": t["source"], "curve": t["curve"], "seconds": t["seconds"],
         "rate": round(RATE * 10 ** (t["config"]["rate_offset"] - own(told)), 9)}
        for t in told["trials"]
    ]  # fmt: skip
    weights = told["history"]["weights"]
    return {
        "trials": trials,
        "winner": told["winner"],
        "one_run": told["one_run"],
        "earlier": told["history"]["tasks"],
        "weights": weights,
        "test": done.metrics["tuned"]["bits_per_byte"],
    }


def own(told: dict[str, Any]) -> float:
    """The offset of the recipe's own learning rate from the formula's."""
    return float(told["trials"][0]["config"]["rate_offset"])


def write(folder: Path, task: str, seed: int, quick: bool) -> None:
    """Rows of one of the two tasks, no description in two parts."""
    lines = (DATA / "e2e_nlg" / "train.jsonl").read_text(encoding="utf-8").splitlines()
    every = [json.loads(line) for line in lines]
    mine = [row for row in every if ("eatType[" in row["prompt"]) == TASKS[task]]
    prompts = sorted({row["prompt"] for row in mine})
    random.Random(f"{task} {seed}").shuffle(prompts)
    folder.mkdir(parents=True, exist_ok=True)
    for part, count in ROWS.items():
        count = count // 5 if quick else count
        chosen: list[dict[str, str]] = []
        while len(chosen) < count and prompts:
            asked = prompts.pop()
            chosen += [row for row in mine if row["prompt"] == asked]
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in chosen[:count])
        (folder / f"{part}.jsonl").write_text(text, encoding="utf-8")


def reached(search: dict[str, Any], wanted: float) -> float:
    """Whole trainings until a finished trial was as good as `wanted`; all that were spent if none.

    Counted in parts of a run, so that no load of the machine changes it. Trials count in the order
    in which they began.
    """
    spent, before = 0.0, 0.0
    for trial in search["trials"]:
        last = trial["curve"][-1] if trial["curve"] else (0, float("inf"))
        before += last[0] / WHOLE
        if last[0] >= WHOLE and last[1] <= wanted:
            spent = before
            break
    return spent or before


def rows(found: list[dict[str, dict[str, Any]]]) -> list[Row]:
    """With the first search's history against without, and against the first search itself."""
    taken: dict[str, list[float]] = {"first": [], "second": [], "alone": []}
    for one in found:
        ends = {
            name: min(t["curve"][-1][1] for t in one[name]["trials"] if t["curve"][-1][0] >= WHOLE)
            for name in ("first", "alone")
        }
        for name in taken:
            wanted = ends["first" if name == "first" else "alone"] * (1 + NEAR)
            taken[name].append(reached(one[name], wanted))
    mean = {name: sum(values) / len(values) for name, values in taken.items()}
    lines = []
    for name, text in (
        ("alone", "the same search with an empty store"),
        ("first", "the first search, on its own task"),
    ):
        pairs = [a / b for a, b in zip(taken[name], taken["second"], strict=True)]
        lines.append(
            Row("trainings until as good as the search with an empty store ends, second of two "
                "similar searches",
                text, round(mean["second"], 3), round(mean[name], 3),
                round(mean[name] / mean["second"], 3), (round(min(pairs), 3), round(max(pairs), 3)),
                "above 1x", "—", mean[name] > mean["second"])
        )  # fmt: skip
    tests = {n: [one[n]["test"] for one in found] for n in ("second", "alone")}
    ours, theirs = (sum(tests[n]) / len(found) for n in ("second", "alone"))
    lines.append(
        Row("bits per byte on test of what the second search ships",
            "the same search with an empty store", round(ours, 4), round(theirs, 4),
            round(theirs / ours, 4), None, "at least 0.99x", "—", theirs / ours >= 0.99)
    )  # fmt: skip
    return lines


if __name__ == "__main__":
    main()
