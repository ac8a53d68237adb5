"""A made-up training that costs nothing: what a search sees of it, and nothing else."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from luthier.core.seeds import derive
from luthier.search.budget import Limit
from luthier.search.controller import Controller
from luthier.search.executors.local import Local
from luthier.search.history.log import StoredLog
from luthier.search.parameter import Choice, Range
from luthier.search.problem import Problem, Rules
from luthier.search.scale import Scale
from luthier.search.space import Space
from luthier.search.study import MemoryLog, StudyLog
from luthier.search.trial import Config, Observation, Outcome, Slice
from luthier.store.store import Store
from luthier.store.studies import StudyRow

SPACE = Space(
    (
        Range("rate_offset", -1.5, 1.5, 0.0, 0.5),
        Choice("batch", (8, 16, 32, 64), (0.2, 0.3, 0.3, 0.2), 32),
        Choice("depth", ("all", "half"), (0.6, 0.4), "all", ordered=False),
    )
)
SCALE = Scale(True, "higher", 0.5)
ROWS = 200
NAN = float("nan")


@dataclass
class Training:
    """The best rate lies at `best`, from `ceiling` on a trial diverges; a unit takes a second.

    `calls` are the slices in the order in which they were worked on; `change` may spoil what is
    seen.
    """

    best: float = 0.5
    ceiling: float = 9.0
    gain: float = 1.0
    clock: float = 0.0
    calls: list[Slice] = field(default_factory=list)
    change: Callable[[Slice, Observation], Observation] = lambda piece, seen: seen
    units: dict[str, int] = field(default_factory=dict)

    def final(self, config: Config) -> float:
        """The score at the end."""
        off = float(config["rate_offset"]) - self.best
        worth = self.gain * (1 - off**2) - 0.02 * abs(np.log2(float(config["batch"]) / 16))
        return float(SCALE.score(worth))

    def __call__(self, piece: Slice) -> Observation:
        """One slice."""
        from luthier.core.errors import LowerLearningRate

        self.calls.append(piece)
        self.clock += piece.until - self.units.get(piece.trial, 0)
        self.units[piece.trial] = piece.until
        if float(piece.config["rate_offset"]) > self.ceiling:
            raise LowerLearningRate(f"trial {piece.trial}", "the loss is not finite")
        score = 0.5 + (self.final(piece.config) - 0.5) * (1 - 0.5 ** (piece.until / 3))
        hard = np.random.default_rng(0).random(ROWS)
        noise = np.random.default_rng(derive(piece.seed, piece.trial)).normal(0, 0.02, ROWS)
        losses = (-np.log(score) + 0.5 * hard + noise).astype(np.float32)
        seen = Observation(
            piece.until, score, float(losses.mean()), float(losses.mean()), float(piece.until),
            {"memory_mb": 100.0 + float(piece.config["batch"])}, losses, hard + noise < score,
        )  # fmt: skip
        return self.change(piece, seen)


@dataclass
class Two:
    """Two slices at once; the one that began last comes back first."""

    advance: Training
    width: int = 2
    under_way: list[Slice] = field(default_factory=list)
    most: int = 0

    def submit(self, piece: Slice) -> None:
        """Begins a slice of a trial that has none under way."""
        assert piece.trial not in [p.trial for p in self.under_way]
        self.under_way.append(piece)
        self.most = max(self.most, len(self.under_way))

    def collect(self) -> Outcome:
        """The newest slice."""
        local = Local(self.advance)
        local.submit(self.under_way.pop())
        return local.collect()

    def close(self) -> None:
        """Nothing."""


def controller(
    training: Training,
    budget: str = "8x one run",
    log: StudyLog | None = None,
    rules: Rules | None = None,
    **problem: Any,
) -> Controller:
    """A search of the made-up training."""
    given = {"space": SPACE, "scale": SCALE, "rows": ROWS, "rules": rules or Rules()} | problem
    return Controller(
        Problem(**given), Local(training), log or MemoryLog(), Limit.read(budget),
        clock=lambda: training.clock,
    )  # fmt: skip


def stored(folder: Path, run: str | None = None) -> tuple[StoredLog, Store, str]:
    """The log of a run in a store, a new one unless its id is given."""
    store = Store.open(folder=folder)
    if run is None:
        run = store.create("made", "classify", {}, {}).id
        store.studies.put(
            StudyRow(run, "", False, "classify", "made", "base", "accuracy", True, "higher", 0.5,
                     ROWS, {})
        )  # fmt: skip
    return StoredLog(store, run, folder / "rows"), store, run


def shown(trials: Sequence[Any]) -> list[tuple[Any, ...]]:
    """What two searches must agree in."""
    return [(t.id, t.source, dict(t.config), [(o.unit, o.score) for o in t.curve]) for t in trials]


if __name__ == "__main__":
    home, run, slices = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    work = Training()

    def dying(piece: Slice, seen: Observation) -> Observation:
        """Kills the process while it works on a slice."""
        if len(work.calls) > slices:
            os.kill(os.getpid(), signal.SIGKILL)
        return seen

    work.change = dying
    controller(work, log=stored(home, run)[0]).run()
