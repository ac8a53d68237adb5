"""What encoders of earlier runs bring a task with few labels: always, and where they are taken.

    python bench/fewshot/earlier.py [--only SET ...]

The earlier runs are those that `python bench/training/run.py --only accuracy` leaves: the default
recipe on up to 1,000 rows of five sets. The target's own set is never among them.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import Any

from run import FROZEN, HERE, KEPT, WORK, drawn, known_of, metrics_on, name_of
from sets import Set, Vectors, load
from tuned import tokenised

from luthier.core.progress import Silence
from luthier.fewshot.choosing.choose import choose
from luthier.fewshot.rung import Asked
from luthier.fewshot.rungs.earlier import EarlierStack, nearest
from luthier.fewshot.tuning.earlier import Left
from luthier.stages.fewshot.earlier import left_by

RUNS = HERE.parent / "training" / "work" / "accuracy"
NEAR = {
    "sentfin": "twitter_financial_sentiment",
    "twitter_financial_sentiment": "",
    "mts_dialog": "medical_abstracts",
    "snips": "clinc150",
    "banking77": "clinc150",
    "medical_abstracts": "",
}
"""Targets, and the earlier set of the same trade where there is one."""
BUDGETS, DRAWS = ("8", "16", "32"), 3
MOST = 800


def earlier_for(name: str, reader: Vectors) -> tuple[Left, ...]:
    """Encoders that runs on other sets left; each is named after its set."""
    found = []
    for place in sorted(RUNS.glob("*/home/runs/*")):
        owner = place.parents[2].name.rsplit("-", 1)[0]
        left = left_by(place, reader.base, 0)
        if owner != name and left is not None:
            found.append(replace(left, name=owner))
    return tuple(found)


def measure(found: Set, budget: str, seed: int, reader: Vectors, past: tuple[Left, ...]) -> Any:
    """The ladder with and without earlier encoders, and the rung by itself; the pool lies apart."""
    known = known_of(found, drawn(found, budget, seed), seed)
    parts = {n: tokenised(reader, getattr(known, n)) for n in ("rows", "described", "pool")}
    known = replace(known, earlier=past, **parts)  # type: ignore[arg-type]
    test = tokenised(reader, Asked(found.test.texts, found.test.vectors.astype(float)))
    choice = choose(known, (*FROZEN, EarlierStack()), "accuracy", Silence())
    before = choose(replace(known, earlier=()), FROZEN, "accuracy", Silence())
    alone = EarlierStack().fit(known).probabilities(test)
    decision = next(d for d in choice.as_dict()["decisions"] if d["rung"] == "earlier")
    return {
        "rung": choice.rung, "nearest": nearest(known).name, "decision": decision,
        "with": metrics_on(found, choice.fitted.probabilities(test)),
        "without": metrics_on(found, before.fitted.probabilities(test)),
        "alone": metrics_on(found, alone),
    }  # fmt: skip


def main() -> None:
    """Goes through the cells that are missing."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", nargs="*", default=list(NEAR))
    reader, asked = Vectors(), parser.parse_args()
    for name in asked.only:
        past = earlier_for(name, reader)
        for budget in BUDGETS:
            for seed in range(DRAWS):
                title = name_of(name, budget, seed)
                if KEPT["earlier"].get(title):
                    continue
                found = load(name, WORK)
                if len(drawn(found, budget, seed)) > MOST:
                    continue
                cell = measure(found, budget, seed, reader, past)
                KEPT["earlier"].keep(title, cell)
                told = {n: cell[n]["accuracy"] for n in ("without", "alone", "with")}
                print(title, cell["rung"], cell["nearest"], told, flush=True)


if __name__ == "__main__":
    main()
