"""What a report shows of a search."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from pydantic.dataclasses import dataclass

from luthier.stages.page.strict import STRICT, Number

SOURCES: Mapping[str, str] = {
    "default": "your recipe",
    "portfolio": "what served earlier tasks best",
    "opening": "what shows late what it is worth",
    "transfer": "a model of earlier tasks",
    "target": "a model of this task",
    "refine": "the learning rate around the best",
    "clone": "going on from the best with other values",
    "prior": "chance",
    "tpe": "Optuna's TPE",
    "seed": "another seed of a finalist",
    "whole": "the recipe's own layers, with what was found",
}
"""Where configurations come from, in words."""

ENTIRE = 16
"""Units of a whole run."""


@dataclass(frozen=True, config=STRICT)
class SearchTrial:
    """One configuration: where it came from, how far it came and what it differs in.

    `changed` holds values that differ from the recipe's; `best` is its best score, `seconds` are
    processor seconds, `points` its curve over sixteenths of a run, `parent` the trial whose
    parameters it began with.
    """

    id: str
    source: str
    status: str
    reason: str
    best: Number | None
    seconds: Number
    changed: dict[str, str]
    points: tuple[tuple[Number, Number], ...]
    seed: int = 0
    parent: str | None = None


@dataclass(frozen=True, config=STRICT)
class Mattered:
    """Share of the believed variance that a parameter explains alone, with a 90 % interval."""

    name: str
    share: Number
    low: Number
    high: Number


@dataclass(frozen=True, config=STRICT)
class Brought:
    """By how much a source raised the best finished score."""

    source: str
    gain: Number


@dataclass(frozen=True, config=STRICT)
class Traded:
    """A finished trial in the plane of the first two objectives: `y` the first, `x` the second."""

    trial: str
    x: Number
    y: Number
    on_front: bool


@dataclass(frozen=True, config=STRICT)
class Remembered:
    """An earlier task and how much it counted, from 0 to 1."""

    task: str
    weight: Number


@dataclass(frozen=True, config=STRICT)
class SearchPart:
    """`runs` is the search's cost in multiples of one ordinary run, `advantage` that of the winner
    over the recipe on rows that chose nothing, `earlier` the number of earlier tasks."""

    metric: str
    budget: str
    stopped: str
    advice: str
    why: str
    winner: str
    default_score: Number
    winner_score: Number
    advantage: Number
    advantage_error: Number
    seconds: Number
    runs: Number
    trials: tuple[SearchTrial, ...]
    mattered: tuple[Mattered, ...] = ()
    brought: tuple[Brought, ...] = ()
    objectives: tuple[str, ...] = ()
    traded: tuple[Traded, ...] = ()
    earlier: int = 0
    remembered: tuple[Remembered, ...] = ()
    joined: str = ""
    """What came of joining the network with words; empty where it was not tried."""

    @property
    def default(self) -> str:
        """The trial that is the recipe as it stood."""
        return self.trials[0].id

    @property
    def own_weight(self) -> float:
        """How much this task itself counted beside earlier ones."""
        return max(0.0, 1.0 - sum(r.weight for r in self.remembered))

    @property
    def from_portfolio(self) -> float:
        """The share of the gain that earlier tasks' best configurations brought, 0 without gain."""
        whole = sum(b.gain for b in self.brought)
        own = sum(b.gain for b in self.brought if b.source == "portfolio")
        return own / whole if whole else 0.0


def search_part(told: Mapping[str, Any], higher: bool) -> SearchPart:
    """The section of a search's story as its `search.json` holds it; `higher` scores are better."""
    first = told["trials"][0]["config"]
    history = told.get("history", {})
    return SearchPart(
        metric=told["metric"],
        budget=told["budget"],
        stopped=told["stopped"],
        advice=told["advice"],
        why=told["why"],
        winner=told["winner"],
        default_score=told["default_score"],
        winner_score=told["winner_score"],
        advantage=told["advantage"],
        advantage_error=told["advantage_error"],
        seconds=told["cost"],
        runs=told["cost"] / max(told["one_run"], 1e-9),
        trials=tuple(_trial(t, first, higher) for t in told["trials"]),
        mattered=tuple(Mattered(n, v, lo, hi) for n, (v, lo, hi) in told["importance"].items()),
        brought=tuple(Brought(name, gain) for name, gain in told["shares"].items()),
        objectives=tuple(told["objectives"]),
        traded=tuple(_traded(told)),
        earlier=history.get("tasks", 0),
        remembered=_remembered(history.get("weights", {})),
        joined=_joined(told.get("stack", {})),
    )


def _joined(told: Mapping[str, Any]) -> str:
    if "gain" not in told:
        return ""
    ships = "both ship together" if told["kept"] else "the network ships alone"
    return f"{ships}: {told['why']}"


def parameter_name(name: str) -> str:
    """A parameter as a reader knows it.

    >>> parameter_name("rate_offset"), parameter_name("train.optimizer.weight_decay")
    ('learning rate', 'weight decay')
    """
    known = {"rate_offset": "learning rate", "depth": "adapted layers"}
    return known.get(name) or name.rsplit(".", 1)[-1].replace("_", " ")


def _trial(told: Mapping[str, Any], first: Mapping[str, Any], higher: bool) -> SearchTrial:
    scores = [score for _, score in told["curve"]]
    best = (max if higher else min)(scores) if scores else None
    return SearchTrial(
        told["id"], told["source"], told["status"], told["reason"], best, told["seconds"],
        {n: _short(n, v, first) for n, v in told["config"].items() if v != first.get(n)},
        tuple((u, s) for u, s in told["curve"]), told["seed"], told.get("parent"),
    )  # fmt: skip


def _short(name: str, value: Any, first: Mapping[str, Any]) -> str:
    if name == "rate_offset":
        return f"×{10 ** (value - first[name]):.3g}"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _traded(told: Mapping[str, Any]) -> list[Traded]:
    if len(told["objectives"]) < 2:
        return []
    found = []
    for trial in told["trials"]:
        whole = trial["curve"] and trial["curve"][-1][0] >= ENTIRE and trial["seed"] == 0
        y, x = (_value(trial, name, told["metric"]) for name in told["objectives"][:2])
        if whole and math.isfinite(x) and math.isfinite(y):
            found.append(Traded(trial["id"], x, y, trial["id"] in told["front"]))
    return found


def _value(trial: Mapping[str, Any], name: str, metric: str) -> float:
    if name == metric and trial["curve"]:
        return float(trial["curve"][-1][1])
    return float(trial["measures"].get(name, math.nan))


def _remembered(weights: Mapping[str, float]) -> tuple[Remembered, ...]:
    found = [Remembered(task, weight) for task, weight in weights.items() if weight > 0.005]
    return tuple(sorted(found, key=lambda r: -r.weight))
