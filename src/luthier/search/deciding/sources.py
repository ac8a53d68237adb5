"""The sources of proposals of one search, and which of them is asked next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from luthier.search.bandit import ArmPrior, Bandit
from luthier.search.problem import Problem
from luthier.search.sampler import Proposal, Sampler, View
from luthier.search.samplers.all import samplers
from luthier.search.study import Decision
from luthier.search.trial import UNITS


@dataclass
class Sources:
    """Chosen by the bandit, or evenly where the rules switch it off."""

    problem: Problem

    def __post_init__(self) -> None:
        self._known: dict[str, Sampler] = samplers(self.problem.rules.arms)
        self._bandit = Bandit({name: ArmPrior(1.0) for name in self._known})

    def propose(self, view: View) -> tuple[Proposal | None, str, float]:
        """A configuration that can be trained here, its source, and the chance the source had.

        Sources that have nothing to say are left out one after the other; None when all have.
        """
        left = list(self._known)
        while left:
            if self.problem.rules.bandit:
                arm, chances = self._bandit.choose(view.random, left)
            else:
                arm = left[int(view.random.integers(len(left)))]
                chances = dict.fromkeys(left, 1 / len(left))
            proposal = self._known[arm].propose(view)
            if proposal is not None and self.problem.misfit(proposal.config) is None:
                return proposal, arm, chances[arm]
            left.remove(arm)
        return None, "", 1.0

    def reward(self, name: str, value: float) -> None:
        """Takes in what a source brought; other names are passed over."""
        if name in self._known:
            self._bandit.reward(name, value)

    def take_up(self, decisions: Sequence[Decision]) -> None:
        """Rewards what an earlier process saw."""
        for decision in decisions:
            if decision.cost > 0:
                self.reward(decision.arm, decision.gain * UNITS / decision.cost)
