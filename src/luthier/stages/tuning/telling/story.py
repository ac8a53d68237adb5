"""What a search did, for its report, its JSON and its record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from luthier.search.budget import Limit
from luthier.search.choosing.final import Choice
from luthier.search.choosing.pareto import front, turned
from luthier.search.controller import Controller
from luthier.search.importance import importance
from luthier.search.trial import UNITS, Trial
from luthier.stages.tuning.goal import Goal


@dataclass(frozen=True)
class Told:
    """One trial as a reader sees it; `parent` is the trial whose parameters it began with."""

    id: str
    source: str
    status: str
    reason: str
    config: dict[str, Any]
    curve: list[tuple[int, float]]
    seconds: float
    measures: dict[str, float]
    seed: int = 0
    parent: str | None = None

    @staticmethod
    def of(trial: Trial) -> Told:
        """The trial's story."""
        return Told(
            trial.id,
            trial.source,
            trial.status,
            trial.reason,
            dict(trial.config),
            [(o.unit, o.score) for o in trial.curve],
            round(trial.cost, 2),
            dict(trial.curve[-1].measures) if trial.curve else {},
            trial.seed,
            trial.parent,
        )


@dataclass(frozen=True)
class Story:
    """`cost` is in processor seconds of all trials, `one_run` those of the default from start to
    end. `importance` gives per parameter the share of the believed variance with an interval;
    `shares` how much of the rise over the default each source brought, in score points."""

    metric: str
    budget: str
    stopped: str
    trials: tuple[Told, ...]
    winner: str
    why: str
    advantage: float
    advantage_error: float
    default_score: float
    winner_score: float
    cost: float
    one_run: float
    importance: dict[str, tuple[float, float, float]] = field(default_factory=dict)
    shares: dict[str, float] = field(default_factory=dict)
    front: tuple[str, ...] = ()
    objectives: tuple[str, ...] = ()
    history: dict[str, Any] = field(default_factory=dict)
    advice: str = ""
    stack: dict[str, Any] = field(default_factory=dict)
    """What came of joining the winner with words, or why that was not tried."""

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            **vars(self),
            "trials": [vars(t) for t in self.trials],
            "importance": {k: list(v) for k, v in self.importance.items()},
            "front": list(self.front),
            "objectives": list(self.objectives),
        }


def tell(controller: Controller, choice: Choice, goal: Goal, limit: Limit) -> Story:
    """The story of a finished search."""
    trials = controller.trials
    default, winner = choice.default.trials[0], choice.winner.trials[0]
    cost = sum(t.cost for t in trials)
    finished = [t for t in trials if t.curve and t.unit >= UNITS and t.seed == 0]
    values = np.asarray([[_value(t, name, goal) for name in goal.objectives] for t in finished])
    directions = [goal.direction(name) for name in goal.objectives]
    best = front(turned(values, directions)) if len(finished) else []
    return Story(
        metric=goal.metric,
        budget=str(limit),
        stopped=controller.stopped,
        trials=tuple(Told.of(t) for t in trials),
        winner=winner.id,
        why=choice.why,
        advantage=choice.against_default.mean,
        advantage_error=choice.against_default.error,
        default_score=default.curve[-1].score,
        winner_score=winner.curve[-1].score,
        cost=round(cost, 2),
        one_run=round(default.cost, 2),
        importance=importance(controller.problem.space, controller.posterior, trials),
        shares=shares_of(trials, goal.direction(goal.metric) == "higher"),
        front=tuple(finished[i].id for i in best),
        objectives=goal.objectives,
        history={
            "tasks": len(controller.problem.past),
            "weights": controller.posterior.weights,
            "portfolio": [dict(c) for c in controller.problem.portfolio],
        },
        advice=advice_of(choice, goal.metric, default.cost, cost, _tried(trials))
        + went_on(lineage(winner, trials)),
    )


def lineage(trial: Trial, trials: Sequence[Trial]) -> list[str]:
    """The trial and those whose parameters it inherited, the eldest last.

    >>> lineage(Trial("b", {}, "clone", parent="a"), [Trial("a", {}, "prior")])
    ['b', 'a']
    """
    known = {t.id: t for t in trials}
    found = [trial.id]
    while trial.parent is not None and trial.parent in known:
        trial = known[trial.parent]
        found.append(trial.id)
    return found


def went_on(line: Sequence[str]) -> str:
    """What a reader must know of a winner that began where another trial was.

    >>> went_on(["t003"])
    ''
    """
    if len(line) < 2:
        return ""
    return (
        f" It went on from {', which went on from '.join(line[1:])}: its values alone do not give "
        f"this model. Trained from the start it would need about {len(line)} times the updates; "
        "a larger train.epochs is worth a try."
    )


def _tried(trials: Sequence[Trial]) -> bool:
    return any(t.curve for t in trials[1:])


def _value(trial: Trial, name: str, goal: Goal) -> float:
    last = trial.curve[-1]
    return last.score if name == goal.metric else last.measures.get(name, float("nan"))


def shares_of(trials: Sequence[Trial], higher: bool) -> dict[str, float]:
    """By how much each source raised the best finished score, in the order of the trials."""
    sign = 1.0 if higher else -1.0
    finished = [t for t in trials if t.seed == 0 and t.curve and t.unit >= UNITS]
    if not finished:
        return {}
    best = sign * finished[0].curve[-1].score
    found: dict[str, float] = {}
    for trial in finished[1:]:
        score = sign * trial.curve[-1].score
        if score > best:
            found[trial.source] = found.get(trial.source, 0.0) + score - best
            best = score
    return {name: round(value, 6) for name, value in found.items()}


def advice_of(choice: Choice, metric: str, one_run: float, cost: float, tried: bool = True) -> str:
    """A sentence for someone who never tuned a model; `tried` tells whether anything beside the
    recipe was begun."""
    runs = cost / max(one_run, 1e-9)
    if choice.is_default and not tried:
        return "Nothing beside your recipe could be tried: give tune.budget more."
    if choice.is_default:
        return (
            f"Keep the recipe as it is: after looking for the time of {runs:.1f} ordinary runs, "
            f"nothing was found that is surely better in {metric}."
        )
    return (
        f"Use the values of trial {choice.winner.name}: on rows that had no part in finding it, "
        f"it gains {choice.against_default.mean:+.3f} (standard error "
        f"{choice.against_default.error:.3f}) over the recipe as it stood. The search took the "
        f"time of {runs:.1f} ordinary runs."
    )
