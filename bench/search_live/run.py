"""Measures whole searches with real training, ours beside two that are in use; see README.md.

    python bench/search_live/run.py [--quick] [--only search|memory|multiples|walks|starts]
        [--again] [--task NAME ...] [--method tpe|asha|ours ...] [--seeds N] [--seconds S]
        [--threads N]

Each search is one file of records/ and is not made again, so the whole may be stopped and started
at any time. --quick gives every search 20 seconds and a few rows, prints the lines and keeps none.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "training")]

import ledger as ledgers  # noqa: E402
import reading  # noqa: E402
import stacks  # noqa: E402
import starts  # noqa: E402
import walks  # noqa: E402
import workers  # noqa: E402
from questions.models import encoder  # noqa: E402
from tasks import TASKS, LiveTask, sample  # noqa: E402

WORK, RECORDS = HERE / "work", HERE / "records"
METHODS = {
    "tpe": "transformers + Optuna (TPE, Hyperband), the model loaded anew for each trial",
    "asha": "Ray Tune (ASHA) over the same trials, one trial per core at the same time",
    "ours": "luthier tune",
}
SCRIPTS = {"tpe": "theirs/tpe.py", "asha": "theirs/asha.py", "ours": "ours/search.py"}
EPOCHS, TOKENS, OPEN = 4, 32, 16
STARTS = 2
"""Draws of every set that ordinary runs are compared on."""
STACKS = 1
"""Draws of every set that words are tried on."""
SEARCHERS = ("optuna==5.0.0", "ray[tune]==2.60.0")
"""What the peers need beside the environment of bench/training."""


@dataclass(frozen=True)
class Asked:
    """How much is measured."""

    tasks: tuple[LiveTask, ...]
    seeds: int
    seconds: float
    threads: int
    quick: bool
    again: bool
    methods: tuple[str, ...] = tuple(METHODS)


def main() -> None:
    """Asks every question, or the one that was named."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="tiny numbers, nothing is kept")
    parser.add_argument("--only", choices=QUESTIONS, help="one question")
    parser.add_argument("--again", action="store_true", help="measure what is there already")
    parser.add_argument("--task", nargs="*", default=[], choices=[t.name for t in TASKS])
    parser.add_argument("--method", nargs="*", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--seeds", type=int, default=reading.PLANNED)
    parser.add_argument("--seconds", type=float, default=300.0, help="budget of one search")
    parser.add_argument("--threads", type=int, default=2, help="cores of every search")
    given = parser.parse_args()
    tasks = tuple(t for t in TASKS if not given.task or t.name in given.task)
    asked = Asked(tasks, given.seeds, given.seconds, given.threads, False, given.again,
                  tuple(given.method))  # fmt: skip
    if given.quick:
        asked = Asked(tasks[:1], 1, 20.0 if given.seconds == 300 else given.seconds,
                      given.threads, True, True, tuple(given.method))  # fmt: skip
    workers.WORK = WORK
    ledgers.QUESTION = "How soon is a search with real training as good as those in use end up?"
    ledgers.COMMAND = "python bench/search_live/run.py"
    book = ledgers.Ledger(HERE / "results.json", asked.again, dry=asked.quick)
    every = [q for q in QUESTIONS if q not in ("walks", "starts", "stacks") or not asked.quick]
    for name in [given.only] if given.only else every:
        QUESTIONS[name](book, asked)


# -- searches --------------------------------------------------------------------------------


def search(book: ledgers.Ledger, asked: Asked) -> None:
    """Seed by seed over all tasks, so that what is stopped early has every task."""
    for seed in range(asked.seeds):
        for task in asked.tasks:
            for method in asked.methods:
                recorded(task, seed, method, asked)
            _lines(book, task, asked)


def _lines(book: ledgers.Ledger, task: LiveTask, asked: Asked) -> None:
    """The task's lines from all seeds that every method has by now."""
    where = f"{task.name}, budget {asked.seconds:g} s, cores: {asked.threads}"
    for method, peer in METHODS.items():
        if method == "ours":
            continue
        pairs = []
        for seed in range(asked.seeds):
            files = [_file(task, seed, name, asked) for name in ("ours", method)]
            if all(f.exists() for f in files):
                own, other = (json.loads(f.read_text(encoding="utf-8")) for f in files)
                pairs.append((own, other))
        if not reading.with_model(pairs):
            print(f"{task.name}, {method}: no model of a peer to compare with", file=sys.stderr)
            continue
        names = (f"seconds to the accuracy at which the peer ends, {where}", peer)
        book.add(reading.time_row(names, pairs))
        names = (f"test accuracy of the chosen model, {where}", peer)
        book.add(reading.test_row(names, pairs))


def recorded(task: LiveTask, seed: int, method: str, asked: Asked) -> None:
    """One search from a fresh process to its sealed test, unless it is on record."""
    file = _file(task, seed, method, asked)
    if file.exists() and not asked.again:
        return
    place = WORK / f"{task.name}-{seed}-{method}"
    rows = _fresh(place, task, seed, asked.quick)
    # Ray has one process per core; the others use all cores for one trial.
    own = 1 if method == "asha" else asked.threads
    if method != "ours":
        install_searchers()
    given = _given(place, task, seed, asked) | {
        "name": place.name, "model": encoder(), "trial_threads": own,
        "seconds": asked.seconds, "started": time.time(),
    }  # fmt: skip
    load = os.getloadavg()[0]
    found = workers.once(f"../search_live/{SCRIPTS[method]}", given, own)
    about = {
        "task": task.name, "seed": seed, "method": method, "seconds": asked.seconds,
        "threads": asked.threads, "rows": rows, "load_before": round(load, 2),
        "machine": ledgers.machine(), "commit": ledgers.commit(),
    }  # fmt: skip
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(about | found, indent=1) + "\n", encoding="utf-8")
    shutil.rmtree(place)
    last = found["trajectory"][-1]["check"] if found["trajectory"] else None
    print(f"{place.name}: {found['trials']} trials, check {last}, test {found['test']}, "
          f"ended at {found['ended']:.0f} s", file=sys.stderr, flush=True)  # fmt: skip


@cache
def install_searchers() -> None:
    """Puts the peers' search libraries into their environment, unless they are there."""
    python = workers.peer_python()
    check = [python, "-c", "import optuna, ray.tune"]
    if subprocess.run(check, capture_output=True, check=False).returncode:
        subprocess.run([python, "-m", "pip", "install", "--quiet", *SEARCHERS], check=True)


def _file(task: LiveTask, seed: int, method: str, asked: Asked) -> Path:
    if asked.quick:
        return WORK / "quick" / f"{task.name}-{seed}-{method}.json"
    name = f"{task.name}-{seed}-{method}-{asked.seconds:g}s-{asked.threads}.json"
    return RECORDS / name


def _fresh(place: Path, task: LiveTask, seed: int, quick: bool) -> dict[str, int]:
    shutil.rmtree(place, ignore_errors=True)
    return sample(task, seed, workers.DATA, place, quick)


def _given(place: Path, task: LiveTask, seed: int, asked: Asked) -> dict[str, Any]:
    return {"place": str(place), "task": task.name, "seed": seed, "threads": asked.threads,
            "epochs": EPOCHS, "tokens": TOKENS}  # fmt: skip


# -- memory and the whole bill ---------------------------------------------------------------


def memory(book: ledgers.Ledger, asked: Asked) -> None:
    """Sixteen live trials against one ordinary run, each in a process of its own."""
    task = asked.tasks[0]
    names = (f"peak resident memory in MB, {OPEN} open trials, {task.name}", "luthier run")
    if book.has(*names):
        return
    peaks = []
    for count in (4 if asked.quick else OPEN, 0):
        place = WORK / f"memory-{count}"
        _fresh(place, task, 0, asked.quick)
        given = _given(place, task, 0, asked) | {"name": place.name, "open": count}
        found = workers.once("../search_live/ours/memory.py", given, asked.threads)
        peaks.append(found["peak_mb"])
        shutil.rmtree(place)
    book.add(reading.bound_row(names, peaks[0], peaks[1], 2.5, 1.5))


def multiples(book: ledgers.Ledger, asked: Asked) -> None:
    """A run with a search of the default budget before it, against the same run without."""
    for task in asked.tasks:
        what = f"search of the default budget and training together, {task.name}"
        names = {clock: (f"{what}, {word}", "luthier run")
                 for clock, word in (("wall", "seconds"), ("cpu", "CPU seconds"))}  # fmt: skip
        if all(book.has(*n) for n in names.values()):
            continue
        found = []
        for searched in (True, False):
            place = WORK / f"multiples-{task.name}-{'searched' if searched else 'plain'}"
            _fresh(place, task, 0, asked.quick)
            given = _given(place, task, 0, asked) | {"name": place.name, "search": searched}
            found.append(workers.once("../search_live/ours/multiples.py", given, asked.threads))
            shutil.rmtree(place)
        print(json.dumps(found), file=sys.stderr, flush=True)
        for clock, pair in names.items():
            book.add(reading.bound_row(pair, found[0][clock], found[1][clock], 1.5, 1.5))


def walked(book: ledgers.Ledger, asked: Asked) -> None:
    """Ten minutes of a user on three sets."""
    walks.measure(book, asked.threads, asked.again, WORK)


def started(book: ledgers.Ledger, asked: Asked) -> None:
    """Ordinary runs from a part of the probe and from the whole of it."""
    starts.measure(book, min(asked.seeds, STARTS), asked.threads, asked.again, WORK)


def stacked(book: ledgers.Ledger, asked: Asked) -> None:
    """Networks joined with words, where a search of one trial does that."""
    stacks.measure(book, min(asked.seeds, STACKS), asked.threads, asked.again, WORK)


QUESTIONS = {"search": search, "memory": memory, "multiples": multiples, "walks": walked,
             "starts": started, "stacks": stacked}  # fmt: skip

if __name__ == "__main__":
    main()
