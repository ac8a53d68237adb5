"""The search: which trial to advance next, on which evidence, until it no longer pays."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from luthier.core.errors import FixRecipe
from luthier.core.seeds import derive
from luthier.search.budget import Limit
from luthier.search.costs import Costs
from luthier.search.deciding.options import asked_for, move_of, options_of
from luthier.search.deciding.sources import Sources
from luthier.search.deciding.standing import Standing
from luthier.search.deciding.track import Track
from luthier.search.models.freezethaw import FreezeThaw
from luthier.search.problem import Problem
from luthier.search.roster import Roster
from luthier.search.sampler import Proposal
from luthier.search.samplers.simple import opening_of
from luthier.search.space import same
from luthier.search.study import StudyLog
from luthier.search.trial import UNITS, Config, Executor, Outcome, Slice, Trial, next_slice

PORTFOLIO = ("portfolio", "served earlier tasks best")
UNHURRIED = ("opening", "shows late what it is worth")
"""Sources of what is tried right after the default, and why it is."""

Listener = Callable[["Controller"], None]


def nobody(controller: Controller) -> None:
    """Does not listen."""


@dataclass
class Controller:
    """One search from its first trial to its last slice; `run` may be called on a resumed log.

    `began` is the moment on `clock` from which a limit in seconds counts; None: the call of `run`.
    """

    problem: Problem
    executor: Executor
    log: StudyLog
    limit: Limit
    clock: Callable[[], float] = time.monotonic
    listener: Listener = nobody
    began: float | None = None
    stopped: str = ""
    _busy: set[str] = field(default_factory=set)
    _promised: dict[str, int] = field(default_factory=dict)
    _queue: list[Config] = field(default_factory=list)
    _started: float = 0.0

    def __post_init__(self) -> None:
        self.roster = Roster(self.log)
        self.costs = Costs(self.problem.relative_cost)
        self.standing = Standing(self.problem, self.roster, self.costs)
        self.sources = Sources(self.problem)
        self.track = Track()

    @property
    def trials(self) -> list[Trial]:
        """All trials in the order in which they began; the default is the first."""
        return self.roster.trials

    # -- the loop --------------------------------------------------------------------------

    def run(self) -> list[Trial]:
        """All trials, when the budget is spent or going on no longer pays.

        A trial that was under way when an earlier process died goes on from its last slice; a
        search that had ended does not.

        Raises: FixRecipe when the default itself cannot be trained here.
        """
        self._started = self.clock() if self.began is None else self.began
        self._open()
        while True:
            while len(self._busy) < self.executor.width and (piece := self._next()) is not None:
                self._busy.add(piece.trial)
                self.executor.submit(piece)
            if not self._busy:
                return self.trials
            self._take(self.executor.collect())
            self.listener(self)

    @property
    def spent(self) -> float:
        """The share of the budget that is gone."""
        runs = sum(t.cost for t in self.trials) / max(self.costs.full, 1e-9)
        begun = sum(1 for t in self.trials if t.seed == 0 and (t.curve or not t.alive))
        begun += sum(1 for t in self.trials if t.id in self._busy and not t.curve)
        return self.limit.share(self.clock() - self._started, begun, runs)

    @property
    def budget(self) -> float:
        """The limit in whole runs of the default."""
        return self.limit.in_runs(self.costs.whole_seconds)

    @property
    def incumbent(self) -> Trial:
        """The trial that leads; the default before any other was looked at."""
        return self.standing.incumbent

    @property
    def posterior(self) -> FreezeThaw:
        """What is believed now, with history."""
        return self.standing.posterior

    # -- beginning -------------------------------------------------------------------------

    def _open(self) -> None:
        """The default first and to its end, then the head of the portfolio."""
        decisions = self.roster.take_up()
        self.stopped = next((d.why for d in decisions if d.action == "end"), "")
        # What earlier processes spent of a time limit counts; the pause between them does not.
        earlier = max((d.features.get("spent", 0.0) for d in decisions), default=0.0)
        self._started -= earlier * (self.limit.seconds or 0.0)
        self.track = Track.of((d.trial, d.cost, d.gain) for d in decisions)
        self.sources.take_up(decisions)
        self.costs.learn(self.trials, self.clock())
        problem, default = self.problem, self.problem.space.default
        if (why := problem.misfit(default)) is not None:
            raise FixRecipe("tune", f"the default configuration cannot be trained: {why}")
        if not self.trials:
            self.roster.begin(Proposal(default), "default", 1.0, "the recipe as it stands")
        look = problem.rules.first
        self._queue = list(problem.opening or opening_of(problem.space, problem.portfolio))
        for trial in (t for t in self.trials if t.seed == 0):
            late = any(same(trial.config, c) for c in (default, *problem.unhurried))
            self._promised[trial.id] = UNITS if late else look

    @property
    def begun(self) -> list[Config]:
        """Configurations that are under way and showed nothing yet."""
        return [t.config for t in self.trials if t.id in self._busy and not t.curve]

    # -- choosing --------------------------------------------------------------------------

    def _next(self) -> Slice | None:
        """The next piece of work, None when there is none now or ever."""
        if self.stopped:
            return None
        if self._must_finish():
            return self._finish("the budget is spent")
        for trial in self.trials:
            if self._free(trial) and trial.unit < self._promised.get(trial.id, 0):
                return self._slice(trial)
        if (opened := self._opened()) is not None:
            return self._slice(opened)
        return self._best_piece() if self.trials[0].curve else None

    def _must_finish(self) -> bool:
        """Whether what is left of the budget is needed to train the incumbent to its end."""
        most = 1 - self.problem.rules.reserve
        if self.limit.trials is not None:
            return self.spent >= most
        lead = self.incumbent
        left = self.costs.expected(lead.config, float(UNITS - lead.unit)) if lead.unit else 0.0
        return self.spent + left / max(self.budget * self.costs.full, 1e-9) >= most

    def _finish(self, why: str, lead: bool = True) -> Slice | None:
        """The next slice of the default or, with `lead`, of the incumbent; without one the search
        is over."""
        for trial in (self.trials[0], *([self.incumbent] if lead else [])):
            # The recipe itself is trained whatever the budget is: nothing else could ship.
            if (trial.curve or trial is self.trials[0]) and self._free(trial):
                return self._slice(trial)
        if not self._busy:
            self.stopped = why
            self.roster.end(why)
        return None

    def _opened(self) -> Trial | None:
        while self._queue:
            config = self._queue.pop(0)
            if self.roster.is_new(config) and self.problem.misfit(config) is None:
                late = config in self.problem.unhurried
                source, why = UNHURRIED if late else PORTFOLIO
                trial = self.roster.begin(Proposal(config), source, 1.0, why)
                # Where there is much to spend, what history is surest of is not left after a look.
                whole = late or (self.problem.portfolio and asked_for(self))
                self._promised[trial.id] = UNITS if whole else self.problem.rules.first
                return trial
        return None

    def _best_piece(self) -> Slice | None:
        """The paused trial or the new proposal with the largest expected gain for its cost."""
        random = np.random.default_rng(
            derive(self.problem.seed, "decision", self.roster.number, len(self._busy))
        )
        paused = [t for t in self.trials if t.curve and t.seed == 0 and self._free(t)]
        proposal, arm, propensity = self.sources.propose(self.standing.view(random))
        options = options_of(self, paused, proposal)
        if options is None:
            return self._finish("nothing is left to try")
        move, why = move_of(self, options, random)
        if move == "stop":
            return self._finish(why, lead=self.standing.wants_finishing(self.budget))
        if move == "continue":
            assert options.paused is not None
            return self._slice(options.paused)
        assert proposal is not None
        trial = self.roster.begin(proposal, arm, propensity, f"proposed by {arm}")
        self._promised[trial.id] = self.problem.rules.first
        return self._slice(trial)

    # -- taking in -------------------------------------------------------------------------

    def _take(self, outcome: Outcome) -> None:
        trial = next(t for t in self.trials if t.id == outcome.trial)
        self._busy.discard(outcome.trial)
        outcome = outcome.checked()
        before, cost = self.standing.worth, trial.cost
        self.standing.changed()
        if outcome.observation is None:
            self.roster.fault(trial, outcome)
            return
        trial.saw(outcome.observation)
        self.log.saw(trial, outcome.observation)
        self.costs.learn(self.trials, self.clock())
        self.standing.freeze_loser(trial, self._promised.get(trial.id, 0))
        self.log.changed(trial)
        spent = trial.cost - cost
        gain = self.track.take(trial.id, spent, before, self.standing.worth)
        arm = self.roster.settle(trial, gain, spent, self.spent)
        self.sources.reward(arm, gain * self.costs.full / max(spent, 1e-9))

    def _free(self, trial: Trial) -> bool:
        return trial.alive and trial.id not in self._busy

    def _slice(self, trial: Trial) -> Slice:
        # Looking takes a while, and of others nothing is decided before their first look.
        return next_slice(trial, 0 if trial is self.trials[0] else self.problem.rules.first)
