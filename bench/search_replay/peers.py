"""A worker in the peers' own environment: replays one method on one table for many seeds.

    python peers.py '{"task": ..., "depth": "s", "method": ..., "seeds": [0], "runs": 12,
                     "least": 6}'

One JSON line per seed goes to standard output.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from collections.abc import Callable

from replay import Play
from tables import read

Method = Callable[[Play, int], int]


def methods() -> dict[str, Method]:
    """Every peer by name."""
    from methods.by_optuna import OPTUNA
    from methods.by_syne_tune import SYNE_TUNE
    from methods.simple import SIMPLE

    return {**SIMPLE, **OPTUNA, **SYNE_TUNE}


def main() -> None:
    """Replays what was asked for."""
    warnings.filterwarnings("ignore")
    asked = json.loads(sys.argv[1])
    tables = read(asked["depth"], asked["least"])
    table = next(t for t in tables if t.name == asked["task"])
    method = methods()[asked["method"]]
    for seed in asked["seeds"]:
        began = time.time()
        play = Play(table, asked["runs"] * table.full, tuple(tables))
        found = play.result(method(play, seed))
        print(
            json.dumps({"seed": seed, "wall": round(time.time() - began, 2), **found}), flush=True
        )


if __name__ == "__main__":
    main()
