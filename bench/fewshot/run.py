"""The ladder against single methods at every budget of labels; see README.md.

    python bench/fewshot/run.py [--quick] [--beside] [--only SET ...] [--draws 10] [--minutes M]

Cells are kept in cells/, which is committed, so that a run that was stopped goes on anywhere.
They are made draw by draw, every set and budget once before any is drawn again, and none is begun
after M minutes. --quick measures two sets at three budgets with one draw and keeps nothing;
--beside measures nothing and writes the lines from cells of the other scripts.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "training")]

import numpy as np  # noqa: E402
from beside import lines  # noqa: E402
from cells import Cells  # noqa: E402
from ledger import keep_results  # noqa: E402
from peers import PEERS  # noqa: E402
from sets import SETS, Set, load  # noqa: E402
from tables import rows  # noqa: E402

from luthier.core.progress import Silence  # noqa: E402
from luthier.core.seeds import derive  # noqa: E402
from luthier.evaluate.measure import metrics_of  # noqa: E402
from luthier.evaluate.predictions import ClassPredictions  # noqa: E402
from luthier.fewshot.choosing.choose import choose  # noqa: E402
from luthier.fewshot.rung import Asked, Known  # noqa: E402
from luthier.fewshot.rungs.family import FROZEN  # noqa: E402

WORK = HERE / "work"
KINDS = ("ladder", "tuned", "elsewhere", "earlier", "reptile", "ordinary")
KEPT = {name: Cells(HERE / "cells" / f"{name}.jsonl") for name in KINDS}
BUDGETS = ("0", "1", "2", "4", "8", "16", "32", "64", "10 %")
POOL, MOST = 1000, 1000
"""Texts in the pool, and the most labelled rows a cell may have."""
QUESTION = (
    "Is the rung that the ladder chooses as good as the best single method at every budget of "
    "labels, and are its scores to be trusted?"
)


def drawn(found: Set, budget: str, seed: int) -> np.ndarray:
    """Places of the labelled rows: so many of each class, or a share of all as they come."""
    random = np.random.default_rng(derive(seed, "draw", found.name))
    order = random.permutation(len(found.train.texts))
    if budget.endswith("%"):
        return np.sort(order[: round(len(order) * float(budget.split()[0]) / 100)])
    truth = found.train.truth[order]
    parts = [order[truth == c][: int(budget)] for c in range(len(found.labels))]
    return np.sort(np.concatenate(parts)) if parts else order[:0]


def known_of(found: Set, places: np.ndarray, seed: int) -> Known:
    """What a rung may learn from: these rows, the descriptions, and texts without their labels."""
    rest = np.setdiff1d(np.arange(len(found.train.texts)), places)
    pool = np.random.default_rng(derive(seed, "pool", found.name)).permutation(rest)[:POOL]
    said = Asked(found.said, found.described.astype(float))
    return Known(
        found.labels, _asked(found, places), found.train.truth[places], said, _asked(found, pool),
        seed=seed,
    )  # fmt: skip


def _asked(found: Set, places: np.ndarray) -> Asked:
    part = found.train
    return Asked([part.texts[int(i)] for i in places], part.vectors[places].astype(float))


def measure(found: Set, budget: str, seed: int) -> dict[str, Any]:
    """Every method on one draw: metrics on the test part, and CPU seconds."""
    known = known_of(found, drawn(found, budget, seed), seed)
    test = Asked(found.test.texts, found.test.vectors.astype(float))
    cell: dict[str, Any] = {"rows": len(known.rows), "methods": {}}
    started = time.process_time()
    choice = choose(known, FROZEN, "accuracy", Silence())
    chances = choice.fitted.probabilities(test)
    cell |= {"rung": choice.rung, "seconds": time.process_time() - started}
    cell["methods"]["ladder"] = metrics_on(found, chances)
    for rung in FROZEN:
        if not rung.refusal(known):
            cell["methods"][rung.name] = metrics_on(found, known.made(rung).probabilities(test))
    for name, peer in PEERS.items():
        if len(known.rows):
            cell["methods"][name] = metrics_on(found, peer(known, test))
    return cell


def metrics_on(found: Set, chances: np.ndarray) -> dict[str, float]:
    """What chances (N, C) of the test texts are worth."""
    places = np.arange(len(found.test.truth))
    said = ClassPredictions(found.labels, found.test.truth, chances, places)
    names = ("accuracy", "macro_f1", "ece", "log_loss")
    return {name: round(metrics_of(said)[name], 5) for name in names}


def name_of(name: str, budget: str, seed: int) -> str:
    """What a cell is called: set, budget and draw."""
    return f"{name}-{budget.replace(' %', 'p')}-{seed}"


def kept(found: Set, budget: str, seed: int, new: bool, keep: bool) -> dict[str, Any] | None:
    """A cell, from cells/ where it is there; None where it isn't and no `new` one may be made."""
    name = name_of(found.name, budget, seed)
    if keep and (there := KEPT["ladder"].get(name)):
        return there
    if not new or len(drawn(found, budget, seed)) > MOST:
        return None
    cell = measure(found, budget, seed)
    if keep:
        KEPT["ladder"].keep(name, cell)
    best = {name: round(100 * m["accuracy"], 1) for name, m in cell["methods"].items()}
    print(found.name, budget, seed, cell["rung"], round(cell["seconds"], 1), best, flush=True)
    return cell


def fill(kind: str, cells: Sequence[tuple[str, str, int]], measure: Callable[..., Any]) -> None:
    """Measures the cells of a kind that are missing, until the --minutes of the call are over."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=30)
    end = time.monotonic() + 60 * parser.parse_args().minutes
    for name, budget, seed in cells:
        title = name_of(name, budget, seed)
        if KEPT[kind].get(title):
            continue
        if time.monotonic() > end:
            print("more cells are missing", file=sys.stderr)
            return
        cell = measure(load(name, WORK), budget, seed)
        KEPT[kind].keep(title, cell)
        print(title, cell, flush=True)


def others() -> list[dict[str, Any]]:
    """Lines from the cells that the other scripts of this folder kept."""
    from transfer import lines as handed

    found = {name: those.all() for name, those in KEPT.items()}
    return [*lines(found), *handed(found["earlier"], found["reptile"])]


def put_beside() -> None:
    """Writes the lines of `others` into the table, in the place of those of the same name."""
    file = HERE / "results.json"
    before = json.loads(file.read_text(encoding="utf-8"))["rows"]
    found = {(row["what"], row["peer"]): row for row in others()}
    table = [found.pop((row["what"], row["peer"]), row) for row in before]
    keep_results(HERE, QUESTION, "python bench/fewshot/run.py", [*table, *found.values()])


def gathered(
    names: tuple[str, ...], budgets: tuple[str, ...], draws: int, end: float, keep: bool
) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """The cells by set and budget, draw by draw; new ones are made until `end`."""
    cells: dict[tuple[str, str], list[dict[str, Any]]] = {}
    sets = {name: load(name, WORK) for name in names}
    order = [(b, s) for b in budgets for s in names]
    for seed in range(draws):
        for budget, name in order:
            # Without labels there is nothing to draw anew.
            new = time.monotonic() < end and not (seed and budget == "0")
            if cell := kept(sets[name], budget, seed, new, keep):
                cells.setdefault((name, budget), []).append(cell)
    return {(s, b): cells[s, b] for b, s in order if (s, b) in cells}


def main() -> None:
    """Measures what is missing and writes the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--beside", action="store_true", help="only the lines of other scripts")
    parser.add_argument("--only", nargs="*", default=SETS)
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--minutes", type=float, default=600, help="begins no cell after so many")
    asked = parser.parse_args()
    if asked.beside:
        put_beside()
        return
    names = SETS[:2] if asked.quick else tuple(asked.only)
    budgets = ("0", "2", "8") if asked.quick else BUDGETS
    end = time.monotonic() + 60 * asked.minutes
    draws = 1 if asked.quick else asked.draws
    cells = gathered(names, budgets, draws, end, not asked.quick)
    table = [*rows(cells), *([] if asked.quick else others())]
    for row in table:
        print(row)
    if asked.quick or list(asked.only) != list(SETS):
        return
    keep_results(HERE, QUESTION, "python bench/fewshot/run.py", table)


if __name__ == "__main__":
    main()
