"""What SetFit and Trainer reach on the same draws; cells lie in cells/ and are made one by one.

    python bench/fewshot/elsewhere.py [--python .env/bin/python] [--minutes 30]

Their environment: python -m venv bench/fewshot/.env && bench/fewshot/.env/bin/pip install
setfit==1.2.0 torch==2.13.0
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from run import HERE, KEPT, WORK, drawn, metrics_on, name_of
from sets import Set, load

from luthier.core.types import Task
from luthier.models.places import default_id, locate

SHORT = ("snips", "twitter_financial_sentiment")
SETS = (*SHORT, "medical_abstracts", "banking77")
WHOLE = ("twitter_financial_sentiment", "banking77", "snips", "mts_dialog", "sentfin")
BUDGETS = ("8", "4", "2", "1", "16")


def _few(sets: tuple[str, ...], seeds: tuple[int, ...]) -> list[tuple[str, str, str, int]]:
    """Few labels with both methods; at 77 classes 16 of each would be as many as a tenth."""
    return [
        (method, name, budget, seed)
        for seed in seeds
        for budget in BUDGETS
        for name in sets
        if (name, budget) != ("banking77", "16")
        for method in ("setfit", "trainer")
    ]


WANTED = (
    *(("trainer", name, "all", 0) for name in WHOLE),
    *_few(SHORT, (0,)),
    *(("setfit", "banking77", "8", 0), ("trainer", "banking77", "8", 0)),
    *_few(SHORT, (1,)),
    *_few(("medical_abstracts",), (0,)),
    *_few(SHORT, (2,)),
    *_few(("banking77",), (0,)),
    *_few(SETS[2:], (1, 2)),
    ("trainer", "clinc150", "all", 0),
    ("trainer", "medical_abstracts", "all", 0),
)
CELLS = tuple(dict.fromkeys(WANTED))
"""Method, set, budget and draw, those first that tell most."""


def task_of(found: Set, budget: str, seed: int) -> dict[str, Any]:
    """The rows of a draw and the texts that are asked, as the other environment reads them."""
    everything = np.arange(len(found.train.texts))
    places = everything if budget == "all" else drawn(found, budget, seed)
    return {
        "texts": [found.train.texts[int(i)] for i in places],
        "truth": found.train.truth[places].tolist(),
        "asked": found.test.texts,
        "classes": len(found.labels),
        "seed": seed,
    }


def called(method: str, name: str, budget: str, seed: int) -> str:
    """What a cell is called."""
    return f"{method}-{name_of(name, budget, seed)}"


def measure(python: str, method: str, name: str, budget: str, seed: int) -> bool:
    """Makes a cell, or goes on with it; whether it is finished."""
    found, title = load(name, WORK), called(method, name, budget, seed)
    answer = WORK / "elsewhere" / f"{title}.npz"
    answer.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        task = Path(place) / "task.json"
        task.write_text(json.dumps(task_of(found, budget, seed)), encoding="utf-8")
        model = str(locate(default_id(Task.CLASSIFY)))
        call = [python, "-W", "ignore", str(HERE / "outside.py"), method, model, str(task)]
        code = subprocess.run([*call, str(answer)], stderr=subprocess.DEVNULL, check=False)
    if code.returncode == 3:
        return False
    kept = np.load(answer, allow_pickle=False)
    cell = metrics_on(found, kept["chances"]) | {"seconds": round(float(kept["seconds"]), 1)}
    KEPT["elsewhere"].keep(title, cell)
    print(title, cell, flush=True)
    return True


def main() -> None:
    """Goes through the cells that are missing until the time is over."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--python", default=str(HERE / ".env" / "bin" / "python"))
    parser.add_argument("--minutes", type=float, default=30)
    asked = parser.parse_args()
    end = time.monotonic() + 60 * asked.minutes
    for cell in CELLS:
        while not KEPT["elsewhere"].get(called(*cell)) and time.monotonic() < end:
            if measure(asked.python, *cell):
                break
    left = sum(not KEPT["elsewhere"].get(called(*cell)) for cell in CELLS)
    print(f"{left} of {len(CELLS)} cells are missing", file=sys.stderr)


if __name__ == "__main__":
    main()
