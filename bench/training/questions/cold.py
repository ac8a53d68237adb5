"""Cold start of `luthier plan` on 10,000 rows."""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
import sys
import time

from ledger import Ledger, value_row
from workers import DATA, WORK, Settings, surroundings

ROWS = 10_000


def measure(ledger: Ledger, settings: Settings) -> None:
    """One line by the clock and one by processor time; caches are empty at each start."""
    names = {
        clock: (f"cold start of `luthier plan` on 10,000 rows of Banking77, {clock} seconds", "—")
        for clock in ("wall", "CPU")
    }
    if all(ledger.has(*name) for name in names.values()):
        return
    recipe = _recipe(300 if settings.quick else ROWS)
    times = [_plan(recipe, settings.threads) for _ in range(1 if settings.quick else 5)]
    for place, name in enumerate(names.values()):
        ledger.add(value_row(name, [t[place] for t in times], 15.0, 6.0))


def _recipe(rows: int) -> str:
    """A file of so many different rows, and a recipe of one line."""
    WORK.mkdir(exist_ok=True)
    lines: dict[str, str] = {}
    for part in ("train", "validation", "test"):
        file = DATA / "banking77" / f"{part}.jsonl"
        for line in file.read_text(encoding="utf-8").strip("\n").split("\n"):
            lines.setdefault(json.loads(line)["text"].casefold(), line)
    chosen = list(lines.values())[:rows]
    (WORK / "cold.jsonl").write_text("\n".join(chosen) + "\n", encoding="utf-8")
    recipe = WORK / "cold.yaml"
    recipe.write_text("data:\n  train: cold.jsonl\n  allow_leakage: true\n", encoding="utf-8")
    return str(recipe)


def _plan(recipe: str, threads: int) -> tuple[float, float]:
    home = WORK / "home"
    shutil.rmtree(home, ignore_errors=True)
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    luthier = sys.executable.rsplit("/", 1)[0] + "/luthier"
    command = [luthier, "plan", recipe, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, env=surroundings(threads))
    wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
