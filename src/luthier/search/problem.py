"""What a search is asked: space, metric, history, constraints, and rules it plays by."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from luthier.search.costs import equal
from luthier.search.history.record import TaskRecord
from luthier.search.policy.policy import Policy
from luthier.search.scale import Scale
from luthier.search.space import Space
from luthier.search.trial import Config, Observation


def anything_fits(config: Config) -> str | None:
    """Every configuration can be trained."""
    return None


def no_violation(observation: Observation) -> float:
    """Nothing is constrained."""
    return 0.0


@dataclass(frozen=True)
class Rules:
    """How the search plays. `arms` are the sources it may use; `cost_weight` is the power of what
    is left of a trial's cost in the acquisition; a new trial is looked at after `first` units, and
    below `look` units nothing is frozen for its rank; `worth` is what one whole run must be
    expected to gain for the search to go on: points of a share (0.004 is two fifths of a point),
    else a part of the score, and less in budgets above the usual one, of which, as of a time that
    was given, twelve runs are made in any case; `least_trials` is how many trials are looked at
    before the search may stop. `provable`: gains too small to be proved on the validation rows
    count for nothing. `reserve` is the share of the budget that is kept for further seeds of the
    best trials. After `patience` runs of trials that brought less than they were worth, the search
    ends (in budgets above the usual one, so much more). `policy` chooses between stopping, going on
    and beginning; None leaves it to
    the analytic rule."""

    arms: tuple[str, ...] = ("portfolio", "transfer", "target", "refine", "clone", "prior")
    cost_weight: float = 1.0
    first: int = 2
    look: int = 4
    worth: float = 0.004
    provable: bool = True
    history: bool = True
    curves: bool = True
    bandit: bool = True
    least_trials: int = 1
    reserve: float = 0.2
    patience: float = 0.35
    policy: Policy | None = None


@dataclass(frozen=True)
class Problem:
    """`rows` are the validation rows that choose. `relative_cost` is a configuration's cost per
    unit relative to the default, `misfit` says why a configuration cannot be trained here (None:
    it can), `violation` how far an observation is from meeting all constraints (0: it does).
    `kind` is the task's name; records of another kind count for less. `opening` is looked at right
    after the default; empty: the head of the portfolio, without one both sides of the rate. Those
    of it that are `unhurried` are trained to their end: a first look would tell nothing."""

    space: Space
    scale: Scale
    rows: int
    past: Sequence[TaskRecord] = ()
    features: Mapping[str, float] = field(default_factory=dict)
    portfolio: Sequence[Config] = ()
    opening: Sequence[Config] = ()
    unhurried: Sequence[Config] = ()
    relative_cost: Callable[[Config], float] = equal
    misfit: Callable[[Config], str | None] = anything_fits
    violation: Callable[[Observation], float] = no_violation
    seed: int = 0
    rules: Rules = Rules()
    kind: str = ""
