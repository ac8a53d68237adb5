"""The search: which trial to advance next, on which evidence, until it no longer pays."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from luthier.core.errors import FixRecipe
from luthier.core.seeds import derive
from luthier.search.bandit import ArmPrior, Bandit
from luthier.search.budget import Limit
from luthier.search.choosing.paired import clearly_worse
from luthier.search.costs import Costs
from luthier.search.models.acquisition import log_expected_improvement
from luthier.search.models.freezethaw import FreezeThaw
from luthier.search.models.posterior import Belief
from luthier.search.problem import Problem
from luthier.search.sampler import Proposal, Sampler, View
from luthier.search.samplers.all import samplers
from luthier.search.study import Action, Decision, StudyLog
from luthier.search.trial import DECISIONS, UNITS, Config, Executor, Outcome, Slice, Trial

Listener = Callable[["Controller"], None]


def nobody(controller: Controller) -> None:
    """Does not listen."""


@dataclass
class Controller:
    """One search from its first trial to its last slice; `run` may be called on a resumed log."""

    problem: Problem
    executor: Executor
    log: StudyLog
    limit: Limit
    clock: Callable[[], float] = time.monotonic
    listener: Listener = nobody
    trials: list[Trial] = field(default_factory=list)
    stopped: str = ""
    _busy: dict[str, tuple[Slice, int]] = field(default_factory=dict)
    _promised: dict[str, int] = field(default_factory=dict)
    _pulled: dict[str, tuple[str, float, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        rules = self.problem.rules
        self._sources: dict[str, Sampler] = samplers(rules.arms)
        self._bandit = Bandit({name: ArmPrior(1.0) for name in self._sources})
        self._costs = Costs(self.problem.relative_cost)
        self._posterior = self._model(rules.history)
        self._own = self._model(False)
        self._number = 0
        self._fitted = -1
        self._stale = True

    # -- the loop --------------------------------------------------------------------------

    def run(self) -> list[Trial]:
        """All trials, when the budget is spent or going on no longer pays.

        A trial that was under way when an earlier process died goes on from its last slice.

        Raises: FixRecipe when the default itself cannot be trained here.
        """
        self._started = self.clock()
        self._resume()
        self._open()
        while True:
            while len(self._busy) < self.executor.width and (piece := self._next()) is not None:
                self._submit(piece)
            if not self._busy:
                return self.trials
            self._take(self.executor.collect())
            self.listener(self)

    @property
    def spent(self) -> float:
        """The share of the budget that is gone."""
        runs = sum(t.cost for t in self.trials) / max(self._costs.full, 1e-9)
        begun = sum(1 for t in self.trials if t.curve or t.status in ("diverged", "failed"))
        return self.limit.share(self.clock() - self._started, begun, runs)

    @property
    def incumbent(self) -> Trial:
        """The trial with the highest believed final score among those that meet the constraints;
        the default before any other was looked at."""
        able = [t for t in self.trials if t.curve and t.status not in ("diverged", "failed")]
        meeting = [t for t in able if self.problem.violation(t.curve[-1]) <= 0]
        if not meeting:
            return self.trials[0]
        belief = self.beliefs(meeting)
        # Half a deviation is taken off, so that a young trial does not lead by its luck.
        return meeting[int(np.argmax(belief.mean - 0.5 * belief.deviation))]

    def beliefs(self, trials: list[Trial]) -> Belief:
        """Believed final relative scores of trials that were looked at."""
        self._fit()
        return self._posterior.of_trials(trials)

    def expected_gain(self) -> float:
        """What the next slice is expected to gain, in relative units."""
        options = self._paused()
        if not options:
            return float("nan")
        belief = self.beliefs(options)
        best = self._best()
        return float(np.exp(log_expected_improvement(belief.mean, belief.deviation, best).max()))

    # -- beginning -------------------------------------------------------------------------

    def _resume(self) -> None:
        self.trials = self.log.trials()
        for decision in self.log.decisions():
            self._number = max(self._number, decision.number + 1)
            if decision.arm in self._sources and decision.cost > 0:
                self._bandit.reward(decision.arm, decision.gain * UNITS / decision.cost)

    def _open(self) -> None:
        """The default first and to its end, then the head of the portfolio."""
        default = self.problem.space.default
        if (why := self.problem.misfit(default)) is not None:
            raise FixRecipe("tune", f"the default configuration cannot be trained: {why}")
        if not self.trials:
            self._begin(Proposal(default), "default", 1.0, "the recipe as it stands")
        self._promised[self.trials[0].id] = UNITS
        opening = self.problem.portfolio[: self.problem.rules.opening]
        self._queue: list[tuple[Config, int]] = [
            (config, UNITS if place == 0 else self.problem.rules.look)
            for place, config in enumerate(opening)
        ]

    def _begin(self, proposal: Proposal, arm: str, propensity: float, why: str) -> Trial:
        trial = Trial(
            f"t{len(self.trials):03d}", dict(proposal.config), arm, parent=proposal.parent
        )
        self.trials.append(trial)
        self.log.began(trial)
        self._pulled[trial.id] = (arm, propensity, why)
        self._stale = True
        return trial

    # -- choosing --------------------------------------------------------------------------

    def _next(self) -> Slice | None:
        """The next piece of work, None when there is none now or ever."""
        if self.stopped:
            return None
        if self.spent >= 1:
            self.stopped = "the budget is spent"
            return None
        for trial in self.trials:
            if trial.alive and self._free(trial) and trial.unit < self._promised.get(trial.id, 0):
                return self._slice(trial)
        if (trial := self._opened()) is not None:
            return self._slice(trial)
        if not self.trials[0].curve:
            return None
        return self._best_piece()

    def _opened(self) -> Trial | None:
        while self._queue:
            config, until = self._queue.pop(0)
            if self._is_new(config) and self.problem.misfit(config) is None:
                trial = self._begin(Proposal(config), "portfolio", 1.0, "served earlier tasks best")
                self._promised[trial.id] = until
                return trial
        return None

    def _best_piece(self) -> Slice | None:
        random = self._random()
        proposal, arm, propensity = self._propose(random)
        paused = self._paused()
        scores: list[float] = []
        if paused:
            scores += list(
                self._acquisition(self.beliefs(paused), [self._ahead(t) for t in paused])
            )
        if proposal is not None:
            belief = self._posterior.of_configs([proposal.config])
            look = self._costs.expected(proposal.config, float(self.problem.rules.look))
            scores += list(self._acquisition(belief, [look]))
        if not scores:
            self.stopped = self.stopped or "nothing is left to try"
            return None
        place = int(np.argmax(scores))
        if self._does_not_pay(scores[place], place, paused, proposal):
            return None
        if place < len(paused):
            trial = paused[place]
            thawed = trial.status == "frozen"
            self._note("thaw" if thawed else "advance", "", trial, 1.0, "most gain for its cost")
            return self._slice(trial)
        assert proposal is not None
        trial = self._begin(proposal, arm, propensity, f"proposed by {arm}")
        self._promised[trial.id] = self.problem.rules.look
        return self._slice(trial)

    def _propose(self, random: np.random.Generator) -> tuple[Proposal | None, str, float]:
        view = self._view(random)
        left = list(self._sources)
        while left:
            if self.problem.rules.bandit:
                arm, chances = self._bandit.choose(random, left)
            else:
                arm = left[int(random.integers(len(left)))]
                chances = dict.fromkeys(left, 1 / len(left))
            proposal = self._sources[arm].propose(view)
            if proposal is not None and self.problem.misfit(proposal.config) is None:
                return proposal, arm, chances[arm]
            left.remove(arm)
        return None, "", 1.0

    def _acquisition(self, belief: Belief, costs: list[float]) -> np.ndarray:
        gain = log_expected_improvement(belief.mean, belief.deviation, self._best())
        return np.asarray(gain - self.problem.rules.cost_weight * np.log(costs))

    def _does_not_pay(
        self, score: float, place: int, paused: list[Trial], proposal: Proposal | None
    ) -> bool:
        """Whether the best piece is expected to gain less than its cost is worth."""
        rules = self.problem.rules
        looked = sum(1 for t in self.trials if t.unit >= rules.look)
        if rules.worth <= 0 or looked < rules.least_trials:
            return False
        if place < len(paused):
            cost = self._ahead(paused[place])
        else:
            assert proposal is not None
            cost = self._costs.expected(proposal.config, float(rules.look))
        gain = float(np.exp(score + rules.cost_weight * np.log(cost)))
        if gain >= rules.worth * cost / self._costs.full:
            return False
        self.stopped = (
            f"going on is expected to gain {gain:.4f} for {cost / self._costs.full:.2f} runs"
        )
        return True

    # -- taking in -------------------------------------------------------------------------

    def _submit(self, piece: Slice) -> None:
        self._busy[piece.trial] = (piece, self._number)
        self.executor.submit(piece)

    def _take(self, outcome: Outcome) -> None:
        trial = next(t for t in self.trials if t.id == outcome.trial)
        del self._busy[outcome.trial]
        before, cost = self._worth(), trial.cost
        if outcome.observation is None:
            self._fail(trial, outcome)
            return
        trial.curve.append(outcome.observation)
        trial.status = "finished" if trial.unit >= UNITS else "paused"
        self.log.saw(trial, outcome.observation)
        self._costs.learn(self.trials)
        self._stale = True
        self._freeze_losers(trial)
        self.log.changed(trial)
        self._settle(trial, max(0.0, self._worth() - before), trial.cost - cost)

    def _fail(self, trial: Trial, outcome: Outcome) -> None:
        """A diverged trial is done with; one whose worker died keeps its last slice."""
        trial.reason = outcome.fault
        if outcome.diverged:
            trial.status = "diverged"
            self._note("diverged", "", trial, 1.0, outcome.fault)
        else:
            faults = sum(1 for d in self.log.decisions() if d.trial == trial.id
                         and d.action == "failed")  # fmt: skip
            trial.status = "failed" if faults >= 2 else ("paused" if trial.curve else "waiting")
            self._note("failed", "", trial, 1.0, outcome.fault)
        self.log.changed(trial)
        self._stale = True

    def _settle(self, trial: Trial, gain: float, cost: float) -> None:
        """Rewards the source of a trial for what its slice brought."""
        arm, propensity, why = self._pulled.get(trial.id, (trial.source, 1.0, ""))
        if arm in self._sources:
            self._bandit.reward(arm, gain * self._costs.full / max(cost, 1e-9))
        self._note("begin" if len(trial.curve) == 1 else "advance", arm, trial, propensity, why,
                   gain, cost)  # fmt: skip

    def _freeze_losers(self, trial: Trial) -> None:
        """Freezes a trial that is both predicted and seen to lose against the incumbent."""
        lead = self.incumbent
        if trial is lead or trial.unit < self.problem.rules.look or trial.status == "finished":
            return
        if trial.unit < self._promised.get(trial.id, 0):
            return
        belief, best = self.beliefs([trial]), self._best()
        hopeful = (belief.mean[0] - best) / max(belief.deviation[0], 1e-9)
        if hopeful < -1.645 and clearly_worse(trial, lead):
            trial.status = "frozen"
            trial.reason = f"behind {lead.id} row by row, and predicted to stay so"

    # -- small things ----------------------------------------------------------------------

    def _model(self, history: bool) -> FreezeThaw:
        problem = self.problem
        return FreezeThaw(
            problem.space, problem.scale, problem.past if history else (), problem.features,
            problem.rows, history=history, curve=problem.rules.curves,
        )  # fmt: skip

    def _fit(self) -> None:
        if self._stale:
            self._posterior.fit([t for t in self.trials if t.curve or t.status == "diverged"])
            self._stale = False

    def _view(self, random: np.random.Generator) -> View:
        self._fit()
        self._own.fit([t for t in self.trials if t.curve or t.status == "diverged"])
        return View(
            self.problem.space, self.problem.scale, self.trials, self.incumbent, self._best(),
            self._posterior, self._own, self._costs, random, self.problem.portfolio,
        )  # fmt: skip

    def _best(self) -> float:
        lead = self.incumbent
        return float(self.beliefs([lead]).mean[0]) if lead.curve else 0.0

    def _worth(self) -> float:
        lead = self.incumbent
        if not lead.curve:
            return 0.0
        belief = self.beliefs([lead])
        return float(belief.mean[0] - 0.5 * belief.deviation[0])

    def _paused(self) -> list[Trial]:
        return [t for t in self.trials if t.alive and t.curve and self._free(t)]

    def _free(self, trial: Trial) -> bool:
        return trial.id not in self._busy

    def _ahead(self, trial: Trial) -> float:
        return self._costs.expected(trial.config, next_look(trial.unit) - trial.unit)

    def _slice(self, trial: Trial) -> Slice:
        return Slice(trial.id, trial.config, next_look(trial.unit), trial.seed, trial.parent)

    def _is_new(self, config: Config) -> bool:
        from luthier.search.space import same

        return not any(same(config, t.config) for t in self.trials)

    def _random(self) -> np.random.Generator:
        return np.random.default_rng(derive(self.problem.seed, "decision", self._number))

    def _note(
        self, action: Action, arm: str, trial: Trial, propensity: float, why: str,
        gain: float = 0.0, cost: float = 0.0,
    ) -> None:  # fmt: skip
        state = {"unit": float(trial.unit), "spent": float(min(9.0, self.spent))}
        self.log.decided(
            Decision(self._number, action, arm, trial.id, propensity, why, state, gain, cost)
        )
        self._number += 1


def next_look(unit: int) -> int:
    """The next decision point after so many units."""
    return next((u for u in DECISIONS if u > unit), UNITS)
