"""The trials of a search and what was decided about them, kept in step with the log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from luthier.search.policy.situation import MOVES, Move, Situation
from luthier.search.sampler import Proposal
from luthier.search.space import same
from luthier.search.study import Action, Decision, StudyLog
from luthier.search.trial import Config, Outcome, Trial

FAULTS = 3
"""A trial whose worker died so often is given up."""


@dataclass
class Roster:
    """Everything that is written down goes through here."""

    log: StudyLog
    trials: list[Trial] = field(default_factory=list)
    number: int = 0
    _pulled: dict[str, tuple[str, float, str]] = field(default_factory=dict)
    _moved: dict[str, float] = field(default_factory=dict)

    def take_up(self) -> list[Decision]:
        """What an earlier process wrote; the decisions are given back."""
        self.trials = self.log.trials()
        decisions = self.log.decisions()
        self.number = max((d.number + 1 for d in decisions), default=0)
        return decisions

    def begin(self, proposal: Proposal, arm: str, propensity: float, why: str) -> Trial:
        """A new trial."""
        name = f"t{len(self.trials):03d}"
        trial = Trial(name, dict(proposal.config), arm, parent=proposal.parent)
        self.trials.append(trial)
        self.log.began(trial)
        self._pulled[trial.id] = (arm, propensity, why)
        return trial

    def moved(
        self, situation: Situation, legal: Sequence[Move], made: tuple[Move, Move, float]
    ) -> None:
        """A move that a policy chose, what the rule would have chosen, and the move's chance; a
        stop is noted at once, others with what their slice brings."""
        move, rule, chance = made
        known = {f"legal_{name}": float(name in legal) for name in MOVES}
        known |= {"move": float(MOVES.index(move)), "rule": float(MOVES.index(rule))}
        self._moved = {**situation.as_dict(), **known, "chance": chance}
        if move == "stop":
            self.note("stop", self.trials[0], "", self._moved)
            self._moved = {}

    def settle(self, trial: Trial, gain: float, cost: float, spent: float) -> str:
        """Notes what a slice brought; returns the source the trial came from."""
        arm, propensity, why = self._pulled.get(trial.id, (trial.source, 1.0, ""))
        action: Action = "begin" if len(trial.curve) == 1 else "advance"
        about, self._moved = {**self._moved, "spent": spent}, {}
        self.note(action, trial, why, about, (arm, propensity, gain, cost))
        return arm

    def fault(self, trial: Trial, outcome: Outcome) -> None:
        """A diverged trial is done with; one whose worker died keeps its last slice."""
        trial.reason = outcome.fault
        action: Action = "diverged" if outcome.diverged else "failed"
        self.note(action, trial, outcome.fault, {})
        if outcome.diverged:
            trial.status = "diverged"
        else:
            mine = [d for d in self.log.decisions() if d.trial == trial.id]
            faults = sum(1 for d in mine if d.action == "failed")
            still = "paused" if trial.curve else "waiting"
            trial.status = "failed" if faults >= FAULTS else still  # type: ignore[assignment]
        self.log.changed(trial)

    def end(self, why: str) -> None:
        """The search is over."""
        self.note("end", self.trials[0], why, {})

    def note(
        self,
        action: Action,
        trial: Trial,
        why: str,
        state: Mapping[str, float],
        pull: tuple[str, float, float, float] = ("", 1.0, 0.0, 0.0),
    ) -> None:
        """A decision; `pull` is the source, its propensity, the gain and the cost."""
        arm, propensity, gain, cost = pull
        about = {"unit": float(trial.unit), **state}
        self.log.decided(
            Decision(self.number, action, arm, trial.id, propensity, why, about, gain, cost)
        )
        self.number += 1

    def is_new(self, config: Config) -> bool:
        """Whether no trial has this configuration."""
        return not any(same(config, t.config) for t in self.trials)
