"""Optuna's tree-structured Parzen estimator, asked on the trials so far."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from luthier.search.bridges.distributions import load_optuna
from luthier.search.parameter import Choice, Parameter, Range
from luthier.search.sampler import Proposal, View
from luthier.search.space import Space
from luthier.search.trial import UNITS, Config, Trial, Value

LEAST = 4
"""Trials it must have seen; before, it would draw evenly, which no prior is worse than."""

ASKED = 20
"""Times it is asked for something that was not tried yet."""


@dataclass(frozen=True)
class Tpe:
    """Multivariate, as Optuna 5 has it. Options that lie on a line are told as whole numbers, so
    that neighbours count as near. Source: Watanabe 2023, "Tree-structured Parzen estimator"."""

    name: str = "tpe"

    def propose(self, view: View) -> Proposal | None:
        """A configuration that was not tried; the same one for the same view and random numbers.

        Raises: InstallExtra.
        """
        optuna = load_optuna("the source tpe")
        seen = [t for t in view.trials if t.curve or t.status == "diverged"]
        if len(seen) < LEAST:
            return None
        sampler = optuna.samplers.TPESampler(
            n_startup_trials=LEAST, seed=int(view.random.integers(2**31))
        )
        study = optuna.create_study(direction="maximize", sampler=sampler)
        free = Space(tuple(p for p in view.space.parameters if not p.fixed))
        kinds = {p.name: _distribution(optuna, p) for p in free.parameters}
        for trial in seen:
            study.add_trial(_told(optuna, view, trial, free, kinds))
        for _ in range(ASKED):
            raw = study.ask(kinds).params
            own = {p.name: _value(p, raw[p.name]) for p in free.parameters}
            config: Config = {**view.space.default, **own}
            if not view.tried(config):
                return Proposal(config)
        return None


def _told(optuna: Any, view: View, trial: Trial, free: Space, kinds: dict[str, Any]) -> Any:
    """A trial as Optuna ranks it: unfinished ones by their last point, diverged ones last."""
    states = optuna.trial.TrialState
    values = {p.unit: float(view.scale.relative(p.score)) for p in trial.curve}
    values = {unit: value for unit, value in values.items() if math.isfinite(value)}
    if trial.status == "diverged":
        values = {}
    ended = UNITS in values
    return optuna.trial.create_trial(
        state=states.COMPLETE if ended else states.PRUNED,
        value=values[UNITS] if ended else None,
        params={p.name: _raw(p, trial.config[p.name]) for p in free.parameters},
        distributions=kinds,
        intermediate_values=values,
    )


def _distribution(optuna: Any, parameter: Parameter) -> Any:
    kinds = optuna.distributions
    if isinstance(parameter, Range):
        return kinds.FloatDistribution(parameter.low, parameter.high, log=parameter.log)
    if parameter.ordered:
        return kinds.IntDistribution(0, len(parameter.options) - 1)
    return kinds.CategoricalDistribution(parameter.options)


def _raw(parameter: Parameter, value: Value) -> Value:
    if isinstance(parameter, Choice) and parameter.ordered:
        return parameter.options.index(value)
    return float(value) if isinstance(parameter, Range) else value


def _value(parameter: Parameter, raw: Value) -> Value:
    if isinstance(parameter, Range):
        # Six digits, as everywhere: equal values then have equal names.
        rounded = float(f"{float(raw):.6g}")
        return min(parameter.high, max(parameter.low, rounded))
    return parameter.options[int(raw)] if parameter.ordered else raw
