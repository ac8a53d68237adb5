"""A family of made-up tasks that share where good configurations lie, up to shifts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from luthier.search.history.record import PastPoint, PastTrial, TaskRecord
from luthier.search.parameter import Choice, Range
from luthier.search.scale import Scale
from luthier.search.space import Space
from luthier.search.trial import DECISIONS, UNITS, Config, Observation, Trial

SPACE = Space(
    (
        Range("rate", -1.5, 1.5, 0.0, 0.35),
        Choice("batch", (8, 16, 32, 64), (0.2, 0.35, 0.35, 0.1), 32),
        Choice("rank", (4, 8, 16, 32), (0.2, 0.3, 0.3, 0.2), 16),
        Range("decay", 1e-4, 0.3, 0.01, 0.7, log=True),
        Choice("head", (1.0, 3.0, 10.0), (0.4, 0.3, 0.3), 1.0),
        Choice("depth", ("third", "all"), (0.5, 0.5), "third", ordered=False),
    )
)
ROWS = 400


@dataclass(frozen=True)
class Made:
    """A made-up task: where its optimum lies, how much there is to gain, how noisy it is."""

    number: int
    rate: float
    head: float
    gain: float
    anchor: float = 0.6

    @property
    def scale(self) -> Scale:
        """Its scale."""
        return Scale(True, "higher", self.anchor)

    @property
    def features(self) -> dict[str, float]:
        """What is known of it beforehand; alike for tasks that are alike."""
        return {"log_rows": 6 + self.rate, "labels": 2 + self.head, "probe": self.anchor}

    def final(self, config: Config) -> float:
        """The relative value at the end, without noise."""
        rate = float(config["rate"]) - 0.15 * np.log2(float(config["batch"]) / 32)
        off = rate - self.rate
        steep = 1.2 if off > 0 else 0.5
        head = 0.15 * (np.log10(float(config["head"])) - self.head) ** 2
        rank = 0.03 * np.log2(float(config["rank"]) / 4)
        return float(self.gain * (1 - steep * off**2 - head + rank))

    def diverges(self, config: Config) -> bool:
        """Far too high a rate."""
        return float(config["rate"]) > self.rate + 0.95

    def curve(
        self, config: Config, random: np.random.Generator, units: Sequence[int] = DECISIONS
    ) -> np.ndarray:
        """Relative values at some units."""
        speed = 0.12 * np.exp(0.3 * random.normal()) * 10 ** (-0.2 * float(config["rate"]))
        left = self.gain * speed * ((np.asarray(units) / UNITS) ** -0.6 - 1)
        clean = self.final(config) + 0.03 * random.normal() - left
        return clean + 0.03 * random.normal(size=len(units))

    def trial(self, name: str, config: Config, seed: int, until: int = UNITS) -> Trial:
        """A trial of the running task."""
        random = np.random.default_rng([self.number, seed])
        found = Trial(name, config, "random")
        if self.diverges(config):
            found.status = "diverged"
            return found
        scores = self.scale.score(self.curve(config, random, [u for u in DECISIONS if u <= until]))
        for unit, score in zip(DECISIONS, scores, strict=False):
            found.curve.append(Observation(unit, float(score), 1.0, unit**-0.3, float(unit)))
        found.status = "finished" if until == UNITS else "paused"
        return found

    def record(self, trials: int = 48, seed: int = 0) -> TaskRecord:
        """It as a past task."""
        random = np.random.default_rng([7, self.number, seed])
        made = [self.trial(f"t{i}", c, 1000 + i) for i, c in enumerate(SPACE.draw(random, trials))]
        past = tuple(
            PastTrial(
                t.config,
                tuple(PastPoint(o.unit, o.score, o.loss, o.train_loss, o.cost) for o in t.curve),
                diverged=t.status == "diverged",
            )
            for t in made
        )
        name = f"made{self.number}"
        return TaskRecord(name, name, "classify", "b", "accuracy", True, "higher", self.anchor,
                          self.features, past, ROWS)  # fmt: skip


def family(count: int, seed: int = 0) -> list[Made]:
    """Related tasks: optima at rates around 0.5, heads around 0.6, gains of 0.4 to 1.2."""
    random = np.random.default_rng(seed)
    return [
        Made(
            number,
            0.5 + 0.15 * float(random.normal()),
            0.6 + 0.2 * float(random.normal()),
            float(random.uniform(0.4, 1.2)),
            float(random.uniform(0.4, 0.8)),
        )
        for number in range(count)
    ]


def poisoned(record: TaskRecord, seed: int = 0) -> TaskRecord:
    """The record with its curves dealt out anew among its configurations."""
    order = np.random.default_rng([seed, len(record.trials)]).permutation(len(record.trials))
    trials = tuple(
        replace(t, curve=record.trials[o].curve, diverged=record.trials[o].diverged)
        for t, o in zip(record.trials, order, strict=True)
    )
    return replace(record, trials=trials)


def turned(record: TaskRecord) -> TaskRecord:
    """The record with its best and worst exchanged: it misleads without looking noisy."""
    scores = [np.asarray([p.score for p in t.curve]) for t in record.trials]
    ends = [s[-1] for s in scores if len(s)]
    middle = float(np.mean(ends))
    trials = tuple(
        replace(t, curve=tuple(replace(p, score=2 * middle - p.score) for p in t.curve),
                diverged=False)
        for t in record.trials if t.curve
    )  # fmt: skip
    return replace(record, trials=trials)
