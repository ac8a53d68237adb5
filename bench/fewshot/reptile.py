"""An experiment: does tuning begin better from weights that were learnt over other tasks?

    python bench/fewshot/reptile.py [--episodes 40]

Low-rank updates are learnt over episodes of sets of other trades (Nichol et al. 2018, Reptile: a
few updates on 8 rows per class, then a step towards where they led), and the rung `tuned` is made
on the target from there and from nothing.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from run import KEPT, WORK, drawn, known_of, metrics_on, name_of
from sets import Set, Vectors, load
from torch import Tensor
from tuned import tokenised

from luthier.core.seeds import derive
from luthier.fewshot.rung import Asked, Known
from luthier.fewshot.rungs.tuned import TunedStack
from luthier.fewshot.tuning.encoder import Moved, Tunable, fill_in
from luthier.models.network import Network

TRADES = (
    ("twitter_financial_sentiment", "sentfin"),
    ("snips", "banking77", "clinc150"),
    ("medical_abstracts", "mts_dialog"),
    ("goemotions",),
)
TARGETS, BUDGETS, DRAWS = ("sentfin", "snips", "mts_dialog"), ("8", "16"), 2
CLASSES, ROWS, INNER, FIRST = 8, 8, 300, 0.5
"""Classes and rows of each in an episode, rows seen by its updates, and the first outer step."""


@dataclass(eq=False)
class Begun(Tunable):
    """An encoder whose updates begin at given weights."""

    start: Mapping[str, Tensor] = field(default_factory=dict)

    def network(self, seed: int) -> Network:
        """The base with updates at `start`."""
        network = super().network(seed)
        fill_in(network, dict(self.start))
        return network


def episode(
    found: Set, seed: int, reader: Vectors, start: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Where a few updates on some classes of a set lead."""
    random = np.random.default_rng(derive(seed, "episode", found.name))
    count = len(found.labels)
    classes = np.sort(random.permutation(count)[:CLASSES])
    places = np.concatenate(
        [random.permutation(np.flatnonzero(found.train.truth == c))[:ROWS] for c in classes]
    )
    number = {int(c): i for i, c in enumerate(classes)}
    part, truth = found.train, np.asarray([number[int(c)] for c in found.train.truth[places]])
    rows = Asked([part.texts[int(i)] for i in places], part.vectors[places].astype(float))
    said = Asked([found.said[int(c)] for c in classes], found.described[classes].astype(float))
    known = Known(
        tuple(found.labels[int(c)] for c in classes), tokenised(reader, rows), truth,
        tokenised(reader, said), rows.take(np.zeros(0, np.int64)), seed=seed,
    )  # fmt: skip
    moved = Begun(reader.base, 0, INNER, start=start).tune(known)
    assert isinstance(moved, Moved)
    return moved.weights


def learnt(sources: list[Set], episodes: int, reader: Vectors) -> dict[str, Tensor]:
    """Weights after steps towards where the episodes led."""
    weights: dict[str, Tensor] = {}
    for number in range(episodes):
        ended = episode(sources[number % len(sources)], number, reader, weights)
        step = FIRST * (1 - number / episodes)
        weights = {n: v + step * (ended[n] - v) for n, v in weights.items()} if weights else ended
    return weights


def measure(found: Set, budget: str, seed: int, reader: Vectors, start: Any) -> dict[str, Any]:
    """The rung `tuned` from nothing and from learnt weights, on the same rows."""
    test = tokenised(reader, Asked(found.test.texts, found.test.vectors.astype(float)))
    cell: dict[str, Any] = {}
    for name, weights in (("fresh", {}), ("learnt", start)):
        known = known_of(found, drawn(found, budget, seed), seed)
        parts = {n: tokenised(reader, getattr(known, n)) for n in ("rows", "described", "pool")}
        encoder = Begun(reader.base, 0, start=weights)
        known = replace(known, encoder=encoder, **parts)  # type: ignore[arg-type]
        cell[name] = metrics_on(found, TunedStack().fit(known).probabilities(test))
    return cell


def main() -> None:
    """Goes through the cells that are missing."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--episodes", type=int, default=40)
    asked, reader = parser.parse_args(), Vectors()
    for target in TARGETS:
        cells = [(b, s) for b in BUDGETS for s in range(DRAWS)]
        missing = [c for c in cells if not KEPT["reptile"].get(name_of(target, *c))]
        if not missing:
            continue
        others = [name for trade in TRADES if target not in trade for name in trade]
        start = learnt([load(name, WORK) for name in others], asked.episodes, reader)
        for budget, seed in missing:
            cell = measure(load(target, WORK), budget, seed, reader, start)
            KEPT["reptile"].keep(name_of(target, budget, seed), cell | {"others": others})
            print(target, budget, seed, {n: c["accuracy"] for n, c in cell.items()}, flush=True)


if __name__ == "__main__":
    main()
