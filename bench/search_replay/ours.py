"""The search of this project on a table, and its ablations."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from replay import NOTHING, Play
from tables import DEPTH, NUMBERS, OPTIONS, UNITS, Entry, Table

from luthier.search.budget import Limit
from luthier.search.controller import Controller
from luthier.search.finals import Finals
from luthier.search.history.portfolio import portfolio
from luthier.search.history.record import PastPoint, PastTrial, TaskRecord
from luthier.search.parameter import Choice, Parameter, Range
from luthier.search.problem import Problem, Rules
from luthier.search.scale import Scale
from luthier.search.space import Space
from luthier.search.study import MemoryLog, StudyLog
from luthier.search.trial import Config, Observation, Outcome, Slice, Trial, Value

OPENING = 4
ARMS = tuple(arm for arm in Rules().arms if arm != "clone")
"""A clone goes on from another trial's parameters, which no table can tell."""

PRIORS = {
    "rate_offset": 0.35,
    "train.optimizer.weight_decay": 0.7,
    "train.batch_size": (0.15, 0.35, 0.35, 0.15),
    "train.schedule.warmup": (0.35, 0.4, 0.25),
    "adapter.rank": (0.1, 0.25, 0.4, 0.2, 0.05),
    "adapter.dropout": (0.4, 0.2, 0.3, 0.1),
    "adapter.b_rate": (0.6, 0.3, 0.1),
    "train.head_rate": (0.4, 0.3, 0.3),
    "train.probe_start": (0.6, 0.4),
}
"""As in the space that `luthier tune` makes around a recipe."""


@dataclass(frozen=True)
class Way:
    """The search or one of its ablations. `poisoned` deals the curves of each past task anew among
    its configurations; `usual` counts runs, of which so few are not made in any case."""

    rules: Rules = field(default_factory=lambda: Rules(arms=ARMS, reserve=0.0))
    history: bool = True
    poisoned: bool = False
    usual: bool = False


WAYS = {
    "ours": Way(),
    "ours, no history": Way(history=False),
    "ours, no curves": Way(Rules(arms=ARMS, reserve=0.0, curves=False)),
    "ours, no bandit": Way(Rules(arms=ARMS, reserve=0.0, bandit=False)),
    "ours, poisoned history": Way(poisoned=True),
    "ours, the usual budget": Way(usual=True),
}


@dataclass(frozen=True)
class TableSpace(Space):
    """A space whose points are the entries of a table: every draw and every neighbour is one."""

    entries: tuple[Config, ...] = ()

    def draw(self, random: np.random.Generator, count: int) -> list[Config]:
        """Entries in random order, at most `count`."""
        order = random.permutation(len(self.entries))
        return [self.entries[i] for i in order[:count]]

    def spread(self, count: int, seed: int = 0) -> list[Config]:
        """The first entries."""
        return list(self.entries[:count])

    def near(self, config: Config, random: np.random.Generator, step: float = 0.1) -> Config:
        """The entry next to a neighbour, other than the configuration itself."""
        wanted = Space.near(self, config, random, step)
        return self._next(wanted, but=config)

    def but(self, config: Config, name: str, value: Value) -> Config:
        """The entry next to the configuration with one value replaced, which may be itself; that
        configuration where the value lies outside, which whoever asks has to find out."""
        parameter = next(p for p in self.parameters if p.name == name)
        if not parameter.holds(value):
            return {**config, name: value}
        return self._next({**config, name: value}, but={})

    def _next(self, wanted: Config, but: Config) -> Config:
        gaps = ((self._places - self.encode([wanted])) ** 2).sum(1)
        order = [self.entries[i] for i in np.argsort(gaps, kind="stable")]
        return next((c for c in order if dict(c) != dict(but)), order[0])

    @cached_property
    def _places(self) -> np.ndarray:
        return self.encode(self.entries)


@dataclass
class OnTable:
    """An executor that looks up what a slice would have shown."""

    play: Play
    width: int = 1
    entries: dict[str, int] = field(default_factory=dict)
    last: int = NOTHING
    _waiting: list[Slice] = field(default_factory=list)

    def submit(self, piece: Slice) -> None:
        """Begins a slice."""
        self._waiting.append(piece)

    def collect(self) -> Outcome:
        """What it showed."""
        piece = self._waiting.pop(0)
        with self.play.free():
            configs = [dict(e.config) for e in self.play.table.entries]
            entry = self.entries.setdefault(piece.trial, configs.index(dict(piece.config)))
        self.last = entry
        point = self.play.advance(entry, piece.until)
        if point is None:
            return Outcome(piece.trial, None, "diverged", diverged=True)
        seen = Observation(
            point.unit, point.score, point.loss, point.train_loss, point.cost,
            losses=point.losses, right=point.right,
        )  # fmt: skip
        return Outcome(piece.trial, seen)

    def close(self) -> None:
        """Nothing to end."""


def search(
    play: Play, seed: int, way: Way, others: Sequence[Table], log: StudyLog | None = None
) -> int:
    """Replays the search and the choice of what ships; further seeds are not on record."""
    problem = problem_of(play.table, seed, way, others)
    executor = OnTable(play)
    limit = Limit(seconds=play.budget)
    if way.usual:
        # As where a recipe names no budget: the search ends by what it expects of going on.
        limit = Limit(runs=play.budget / play.table.full)
    controller = Controller(
        problem, executor, log or MemoryLog(), limit, lambda: play.now,
        lambda c: _note(c, executor),
    )  # fmt: skip
    trials = controller.run()

    def confirm(trial: Trial) -> Observation:
        entry = play.table.entries[executor.entries[trial.id]]
        return Observation(UNITS, entry.second, 0.0, 0.0, 0.0, right=entry.second_right)

    finals = Finals(problem, executor, controller.log, confirm, lambda: False, 0)
    choice = finals.decide(trials, controller.posterior)
    shipped = executor.entries[choice.winner.name]
    play.note(shipped, shipped, shipped)
    return shipped


def problem_of(table: Table, seed: int, way: Way, others: Sequence[Table]) -> Problem:
    """The search's problem, with the target's whole family left out of the history."""
    space = space_of(table)
    scale = Scale(True, "higher", float(table.head["anchor"]))
    past = [record_of(t) for t in others if t.family != table.family] if way.history else []
    if way.poisoned:
        past = [poisoned(record, seed) for record in past]
    features = table.head["features"]
    wanted = portfolio(space, past, features, OPENING, "classify", True)
    opening: list[Config] = []
    for config in wanted:
        near = space.but(config, "rate_offset", config["rate_offset"])
        if near not in opening:
            opening.append(near)
    rows = int(table.head["rows"]["validation"]) // 2
    return Problem(space, scale, rows, past, features, opening, seed=seed, rules=way.rules)


def space_of(table: Table) -> TableSpace:
    """The space that `luthier tune` would search, cut down to the entries of the table."""
    own = table.entries[0].config
    found: list[Parameter] = []
    for name, (low, high, log) in NUMBERS.items():
        found.append(Range(name, low, high, own[name], PRIORS[name], log=log))
    for name, options in OPTIONS.items():
        found.append(Choice(name, options, PRIORS[name], own[name]))
    depths = tuple(sorted({e.config[DEPTH] for e in table.entries}))
    found.append(Choice(DEPTH, depths, (1.0,) * len(depths), own[DEPTH]))
    return TableSpace(tuple(found), tuple(dict(e.config) for e in table.entries))


def record_of(table: Table) -> TaskRecord:
    """The table as another task's history."""
    head = table.head
    return TaskRecord(
        id=table.name,
        family=table.family,
        kind="classify",
        base=head["base"],
        metric=head["metric"],
        share=True,
        direction="higher",
        anchor=head["anchor"],
        features=head["features"],
        trials=tuple(map(_trial, table.entries, table.measured)),
        rows=head["rows"]["validation"] + head["rows"]["test"],
    )


def poisoned(record: TaskRecord, seed: int) -> TaskRecord:
    """The record with its curves dealt anew among its configurations."""
    dealt = list(record.trials)
    random.Random(f"{record.id} {seed}").shuffle(dealt)
    pairs = zip(record.trials, dealt, strict=True)
    return replace(record, trials=tuple(replace(d, config=t.config) for t, d in pairs))


def _trial(entry: Entry, final: float) -> PastTrial:
    curve = [PastPoint(p.unit, p.score, p.loss, p.train_loss, p.cost) for p in entry.points]
    if entry.diverged is None:
        curve[-1] = replace(curve[-1], score=float(final))
    return PastTrial(entry.config, tuple(curve), diverged=entry.diverged is not None)


def _note(controller: Controller, executor: OnTable) -> None:
    """What the search would ship now (the best by belief among finished trials), what leads."""
    play = executor.play
    with play.free():
        lead, ships = controller.incumbent, NOTHING
        finished = [t for t in controller.trials if t.status == "finished"]
        if finished:
            belief = controller.standing.beliefs(finished)
            best = finished[int(np.argmax(belief.mean - 0.5 * belief.deviation))]
            ships = executor.entries[best.id]
    play.note(executor.last, ships, executor.entries.get(lead.id, NOTHING))
