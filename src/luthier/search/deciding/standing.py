"""Where a search stands: what is believed of its trials, and which one leads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from luthier.search.choosing.final import provable_lead
from luthier.search.choosing.paired import clearly_worse
from luthier.search.costs import Costs
from luthier.search.deciding.track import Track
from luthier.search.models.acquisition import log_provable_improvement
from luthier.search.models.freezethaw import FreezeThaw
from luthier.search.models.posterior import Belief
from luthier.search.models.values import own_noise
from luthier.search.problem import Problem
from luthier.search.roster import Roster
from luthier.search.sampler import Proposal, View
from luthier.search.trial import UNITS, Config, Trial

HOPELESS = -1.645
"""Standard deviations below the incumbent at which one in twenty trials would still win."""

USUAL = 6.0
"""Runs in the default budget, for which `Rules.worth` is the price of one."""
ASKED_FOR = 2 * USUAL
"""Runs that are made in any case where the budget has so many: who gives them wants them used."""


@dataclass
class Standing:
    """Two models of the same trials: `posterior` knows earlier tasks, the other this task only."""

    problem: Problem
    roster: Roster
    costs: Costs
    _stale: bool = True

    def __post_init__(self) -> None:
        self.posterior = _model(self.problem, self.problem.rules.history)
        self._own = _model(self.problem, False)

    def changed(self) -> None:
        """A trial showed something new."""
        self._stale = True

    def beliefs(self, trials: list[Trial]) -> Belief:
        """Believed final relative scores of trials that were looked at."""
        self._fit()
        return self.posterior.of_trials(trials)

    @property
    def incumbent(self) -> Trial:
        """The trial with the highest believed final score among those that meet the constraints;
        the default before any other was looked at."""
        trials = self.roster.trials
        meeting = self._meeting()
        if not meeting:
            return trials[0]
        belief = self.beliefs(meeting)
        # Half a deviation is taken off, so that a young trial does not lead by its luck.
        return meeting[int(np.argmax(belief.mean - 0.5 * belief.deviation))]

    def _meeting(self) -> list[Trial]:
        """Trials that were looked at and meet the constraints."""
        able = [t for t in self.roster.trials if t.curve and t.status not in ("diverged", "failed")]
        return [t for t in able if self.problem.violation(t.curve[-1]) <= 0]

    @property
    def best(self) -> float:
        """The incumbent's believed final relative score."""
        lead = self.incumbent
        return float(self.beliefs([lead]).mean[0]) if lead.curve else 0.0

    @property
    def worth(self) -> float:
        """The same with half a deviation taken off, so that noise is not rewarded."""
        lead = self.incumbent
        if not lead.curve:
            return 0.0
        belief = self.beliefs([lead])
        return float(belief.mean[0] - 0.5 * belief.deviation[0])

    def freeze_loser(self, trial: Trial, promised: int) -> None:
        """Freezes a trial that is both predicted and seen to lose against the incumbent, once it
        was looked at so far as was `promised`."""
        young = trial.unit < max(self.problem.rules.look, promised)
        if young or trial is self.incumbent or trial.status == "finished":
            return
        if (why := self.hopeless(trial)) is not None:
            trial.status, trial.reason = "frozen", why

    def hopeless(self, trial: Trial) -> str | None:
        """Why a trial is both predicted and seen to lose against the incumbent, None when not."""
        lead, belief = self.incumbent, self.beliefs([trial])
        behind = (belief.mean[0] - self.best) / max(belief.deviation[0], 1e-9)
        if behind < HOPELESS and clearly_worse(trial, lead):
            return f"behind {lead.id} row by row, and predicted to stay so"
        return None

    def gains(
        self, paused: list[Trial], proposal: Proposal | None, begun: Sequence[Config] = ()
    ) -> NDArray[np.float64]:
        """Log of what training each to its end is expected to gain: paused trials, then the
        proposal if there is one (N,).

        Trials that are under way and showed nothing yet (`begun`) are taken to end where they are
        expected to, so that workers do not all try neighbours.

        Of the uncertainty only what a whole run would settle counts: the sampling error of the
        rows that choose stays, however long is trained.
        Source: Frazier et al. 2009, "The Knowledge-Gradient Policy".
        """
        parts = [self.beliefs(paused)] if paused else []
        if proposal is not None:
            posterior = self.posterior.believing(begun) if begun else self.posterior
            parts.append(self._promise(proposal, posterior))
        mean = np.concatenate([part.mean for part in parts])
        deviation = np.concatenate([part.deviation for part in parts])
        noise = self._noise()
        settled = deviation**2 / np.hypot(deviation, noise)
        # What leads but is not finished would not ship: its own gain is that over what would.
        best = np.full(len(mean), self.best)
        best[[place for place, trial in enumerate(paused) if trial is self.incumbent]] = min(
            self.best, self._secured()
        )
        return log_provable_improvement(mean, settled, best, self._provable(noise))

    def _promise(self, proposal: Proposal, posterior: FreezeThaw) -> Belief:
        """Where a new trial is expected to end; a clone at least where its parent does."""
        found = posterior.of_configs([proposal.config])
        parent = next((t for t in self.roster.trials if t.id == proposal.parent), None)
        if parent is None:
            return found
        return Belief(np.maximum(found.mean, self.beliefs([parent]).mean), found.deviation)

    def _secured(self) -> float:
        """The highest believed score among the trials that could ship now."""
        done = [t for t in self.roster.trials if t.status == "finished"]
        done = [t for t in done if self.problem.violation(t.curve[-1]) <= 0]
        return float(self.beliefs(done).mean.max()) if done else self.best

    def _noise(self) -> float:
        """Deviation of a trial's own sampling error near the incumbent."""
        scale = self.problem.scale
        return own_noise(scale, float(scale.score(self.best)), self.problem.rows)

    def _provable(self, noise: float) -> float:
        """The least relative score that could be told from the default on both halves of the
        validation rows together, and so would ship."""
        default = self.roster.trials[0]
        if not (self.problem.rules.provable and default.curve):
            return -np.inf
        return float(self.beliefs([default]).mean[0]) + provable_lead(noise)

    def price(self, budget: float) -> float:
        """What one whole run must be expected to gain, in relative units, where the user allows
        so many runs: who gives more than usual wants more to be tried."""
        rules, scale = self.problem.rules, self.problem.scale
        worth = rules.worth * min(1.0, USUAL / max(budget, 1e-9))
        return scale.step(float(scale.score(self.best)), worth)

    def unworthy(self, gain: float, cost: float, budget: float = USUAL) -> str | None:
        """Why a trial does not pay: the gain expected of it is less than what the seconds to its
        end are worth in a budget of so many runs. While nothing meets the conditions, everything
        pays: there is nothing that may ship."""
        rules = self.problem.rules
        looked = sum(1 for t in self.roster.trials if t.unit >= rules.first)
        runs = cost / self.costs.full
        price = self.price(budget)
        if not self._meeting():
            return None
        if rules.worth <= 0 or looked < rules.least_trials or gain >= price * runs:
            return None
        return f"going on is expected to gain {gain:.2g} for {runs:.2f} runs"

    def fruitless(self, track: Track, budget: float = USUAL) -> str | None:
        """Why the search has run dry: what was spent last raised what may ship by less than it
        was worth, whatever is expected of more; None when it has not, or too little was spent.

        Expectations of many trials that all end near the default add up to a gain that does not
        come, above all where few rows choose.
        """
        rules = self.problem.rules
        window = rules.patience * max(1.0, budget / USUAL)
        gain = track.brought(window * self.costs.full)
        if rules.worth <= 0 or gain is None or not self._meeting():
            return None
        if gain >= self.price(budget) * window:
            return None
        return f"the last {window:.2g} runs of trials brought {gain:.2g}"

    def wants_finishing(self, budget: float = USUAL) -> bool:
        """Whether a leader that could not ship yet is worth being trained to its end."""
        lead = self.incumbent
        if not lead.curve or lead.status == "finished":
            return False
        runs = self.costs.expected(lead.config, float(UNITS - lead.unit)) / self.costs.full
        return self.best - self._secured() >= self.price(budget) * runs

    def view(self, random: np.random.Generator) -> View:
        """What sources of proposals may look at."""
        self._fit()
        self._own.fit(self._seen())
        return View(
            self.problem.space,
            self.problem.scale,
            self.roster.trials,
            self.incumbent,
            self.best,
            self.posterior,
            self._own,
            self.costs,
            random,
            self.problem.portfolio,
        )

    def _seen(self) -> list[Trial]:
        return [t for t in self.roster.trials if t.curve or t.status == "diverged"]

    def _fit(self) -> None:
        if self._stale:
            self.posterior.fit(self._seen())
            self._stale = False


def _model(problem: Problem, history: bool) -> FreezeThaw:
    return FreezeThaw(
        problem.space,
        problem.scale,
        problem.past,
        problem.features,
        problem.rows,
        history=history,
        curve=problem.rules.curves,
        kind=problem.kind,
    )
