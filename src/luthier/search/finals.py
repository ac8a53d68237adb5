"""From finished trials to the one that ships: further seeds for the best, then the choice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import norm

from luthier.search.choosing.final import Candidate, Choice, choose, provable_lead
from luthier.search.models.posterior import Posterior
from luthier.search.models.values import own_noise
from luthier.search.problem import Problem
from luthier.search.roster import FAULTS
from luthier.search.study import StudyLog
from luthier.search.trial import UNITS, Executor, Observation, Trial, next_slice

FINALISTS = 3


@dataclass
class Finals:
    """`confirm` measures a finished trial on the second half of the validation rows; `may_go_on`
    says whether the budget bears another whole run."""

    problem: Problem
    executor: Executor
    log: StudyLog
    confirm: Callable[[Trial], Observation]
    may_go_on: Callable[[], bool]
    seeds: int = 2

    def decide(self, trials: list[Trial], posterior: Posterior) -> Choice:
        """The choice among the finished trials that meet the constraints; new ones are appended
        to `trials`. Seeds are added round by round, and after each the last of the finalists
        drops out. Source: Audibert et al. 2010, successive rejects."""
        default = trials[0]
        firsts = [t for t in trials if t.seed == 0 and t.status == "finished" and t is not default]
        able = [t for t in firsts if self.problem.violation(t.curve[-1]) <= 0]
        groups = {t.id: [t] for t in _best(able, posterior, FINALISTS)}
        groups[default.id] = [default]
        for seed in range(1, self.seeds + 1):
            if len(groups) < 2 or not self._worthwhile(groups, default, posterior):
                break
            for name in list(groups):
                if not self.may_go_on():
                    return self._choice(groups, default, posterior)
                self._repeat(groups[name], seed, trials)
            self._reject(groups, default)
        return self._choice(groups, default, posterior)

    def _worthwhile(
        self, groups: dict[str, list[Trial]], default: Trial, posterior: Posterior
    ) -> bool:
        """Whether another seed for each may gain more, by turning the choice, than it costs.

        The gain is the expected rise of the better of the two leaders after half of their
        uncertainty is gone; against the default only a lead counts that would ship.
        Source: Frazier et al. 2009, "The Knowledge-Gradient Policy".
        """
        rules = self.problem.rules
        found = []
        for group in groups.values():
            mean, error = self._standing(group, posterior)
            if group[0] is default and rules.provable:
                score = float(self.problem.scale.score(mean))
                mean += provable_lead(own_noise(self.problem.scale, score, self.problem.rows))
            found.append((mean, error))
        found.sort(reverse=True)
        (first, error), (second, other) = found[:2]
        spread = float(np.sqrt(0.5 * (error**2 + other**2)))
        gap = (first - second) / max(spread, 1e-9)
        gain = spread * float(norm.pdf(gap) - gap * norm.sf(gap))
        runs = sum(group[0].cost for group in groups.values()) / max(default.cost, 1e-9)
        scale = self.problem.scale
        return gain >= scale.step(float(scale.score(first)), rules.worth) * runs

    def _standing(self, group: list[Trial], posterior: Posterior) -> tuple[float, float]:
        """Believed relative score of a group and its standard error."""
        belief = posterior.of_trials([group[0]])
        mean, error = float(belief.mean[0]), float(belief.deviation[0])
        if len(group) > 1:
            mean, error = 0.5 * mean + 0.5 * self._mean(group), error / np.sqrt(len(group))
        return mean, float(error)

    def _repeat(self, group: list[Trial], seed: int, trials: list[Trial]) -> None:
        """The same configuration with another seed, to its end."""
        known = next((t for t in trials if t.config == group[0].config and t.seed == seed), None)
        first = group[0]
        trial = known or Trial(f"{first.id}s{seed}", first.config, "seed", seed)
        if known is None:
            trials.append(trial)
            self.log.began(trial)
        faults = 0
        while trial.unit < UNITS:
            self.executor.submit(next_slice(trial))
            outcome = self.executor.collect().checked()
            if outcome.observation is None:
                faults += 1
                if not outcome.diverged and faults < FAULTS:
                    continue
                trial.status = "diverged" if outcome.diverged else "failed"
                trial.reason = outcome.fault
                self.log.changed(trial)
                return
            trial.saw(outcome.observation)
            self.log.saw(trial, outcome.observation)
        self.log.changed(trial)
        group.append(trial)

    def _reject(self, groups: dict[str, list[Trial]], default: Trial) -> None:
        others = [name for name in groups if name != default.id]
        if len(others) > 1:
            worst = min(others, key=lambda name: self._mean(groups[name]))
            del groups[worst]

    def _mean(self, group: Sequence[Trial]) -> float:
        scores = [t.curve[-1].score for t in group if t.curve]
        return float(np.mean(self.problem.scale.relative(scores)))

    def _choice(
        self, groups: dict[str, list[Trial]], default: Trial, posterior: Posterior
    ) -> Choice:
        found = {name: self._candidate(group, posterior) for name, group in groups.items()}
        own = found.pop(default.id)
        if self.problem.violation(default.curve[-1]) > 0 and found:
            # The default misses a constraint: it cannot be what is fallen back to.
            best = max(found.values(), key=lambda c: c.belief)
            return replace(choose([], best), why="the default does not meet the conditions")
        return choose(list(found.values()), own)

    def _candidate(self, group: list[Trial], posterior: Posterior) -> Candidate:
        mean, error = self._standing(group, posterior)
        confirmed = tuple(self.confirm(t) for t in group)
        return Candidate(tuple(group), confirmed, mean, error, group[0].cost)


def _best(trials: Sequence[Trial], posterior: Posterior, count: int) -> list[Trial]:
    if not trials:
        return []
    belief = posterior.of_trials(list(trials))
    return [trials[i] for i in np.argsort(-belief.mean)[:count]]
