"""Does a learnt policy of stopping and going on beat the analytic rule? See README.md.

python bench/search_policy/run.py [--quick] [--seeds 10]
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "search_replay"), str(HERE.parent / "training")]

import numpy as np  # noqa: E402
from ledger import keep_results  # noqa: E402
from measures import judged  # noqa: E402
from ours import WAYS, search  # noqa: E402
from replay import Play  # noqa: E402
from tables import Table, read  # noqa: E402

from luthier.search.policy.learning import Choice, doubly_robust, fitted_q  # noqa: E402
from luthier.search.policy.policy import Policy  # noqa: E402
from luthier.search.policy.situation import MOVES, Situation  # noqa: E402
from luthier.search.study import Decision, MemoryLog  # noqa: E402

QUESTION = (
    "Does a policy of stopping, going on and beginning, learnt from replayed searches of other "
    "tasks, beat the analytic rule?"
)
RUNS, LEAST, PRICE, EXPLORE, DRAWS = 12.0, 6, 0.1, 0.35, 4000


@dataclass(frozen=True)
class Played:
    """A replayed search: its choices, and its worth in points of test score less its price."""

    choices: tuple[Choice, ...]
    worth: float


def main() -> None:
    """Learns on all families but one, judges on that one, for each family in turn."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="two seeds; keeps nothing")
    parser.add_argument("--seeds", type=int, default=10)
    given = parser.parse_args()
    seeds = 2 if given.quick else given.seeds
    tables = read("s", LEAST)
    logged = {t.name: [played(t, tables, s, Policy(explore=EXPLORE)) for s in range(seeds)]
              for t in tables}  # fmt: skip
    found: dict[str, list[tuple[float, float]]] = {"estimated": [], "replayed": []}
    for table in tables:
        known = [p.choices for t in tables if t.family != table.family for p in logged[t.name]]
        learnt = fitted_q([c for c in known if c])
        held = [p.choices for p in logged[table.name]]
        pair = [float(doubly_robust(held, p, learnt).mean()) for p in (learnt, Policy())]
        found["estimated"].append((pair[0], pair[1]))
        again = range(1000, 1000 + seeds)
        each = [np.mean([played(table, tables, s, p).worth for s in again])
                for p in (learnt, Policy())]  # fmt: skip
        found["replayed"].append((float(each[0]), float(each[1])))
        print(table.name, found["estimated"][-1], found["replayed"][-1], flush=True)
    lines = [row(how, pairs) for how, pairs in found.items()]
    print(json.dumps(lines, indent=1))
    if not given.quick:
        keep_results(HERE, QUESTION, f"python bench/search_policy/run.py --seeds {seeds}", lines)


def played(table: Table, tables: list[Table], seed: int, policy: Policy) -> Played:
    """One search under a policy; the rule's propensities are logged too."""
    log, way = MemoryLog(), WAYS["ours"]
    way = replace(way, rules=replace(way.rules, policy=policy))
    play = Play(table, RUNS * table.full)
    told = judged(table, play.result(search(play, seed, way, tables, log)), RUNS)
    made = [d for d in log.decisions() if "chance" in d.features]
    used = [d.features["used"] * RUNS for d in made] + [told.spent]
    rewards = [-PRICE * max(0.0, b - a) for a, b in pairwise(used)]
    if rewards:
        rewards[-1] += 100 * told.ahead
    choices = tuple(choice(d, r) for d, r in zip(made, rewards, strict=True))
    return Played(choices, 100 * told.ahead - PRICE * told.spent)


def choice(decision: Decision, reward: float) -> Choice:
    """A logged decision with its reward in points."""
    numbers = decision.features
    return Choice(
        Situation.from_dict(numbers),
        tuple(m for m in MOVES if numbers[f"legal_{m}"]),
        MOVES[int(numbers["move"])],
        MOVES[int(numbers["rule"])],
        numbers["chance"],
        reward,
    )


def row(how: str, pairs: list[tuple[float, float]]) -> dict[str, Any]:
    """Learnt against rule, with a bootstrap interval of the difference over tasks."""
    values = np.asarray(pairs)
    gains = values[:, 0] - values[:, 1]
    random = np.random.default_rng(0)
    drawn = random.choice(gains, (DRAWS, len(gains))).mean(1)
    low, high = np.quantile(drawn, [0.025, 0.975])
    what = {"estimated": "by a doubly robust estimate from logged searches of unseen families",
            "replayed": "in replays of unseen families"}[how]  # fmt: skip
    return {
        "what": f"worth of a search in points ({PRICE} a training), {what}: learnt policy",
        "peer": "analytic rule",
        "ours": round(float(values[:, 0].mean()), 4),
        "theirs": round(float(values[:, 1].mean()), 4),
        "ratio": round(float(gains.mean()), 4),
        "interval": [round(float(low), 4), round(float(high), 4)],
        "must": "ships only when both lower bounds are above 0",
        "aim": "—",
        "met": bool(low > 0),
    }


if __name__ == "__main__":
    main()
