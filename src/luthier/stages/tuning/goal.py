"""What a search should reach: the metric, further objectives, and conditions."""

from __future__ import annotations

from dataclasses import dataclass

from luthier.core.errors import FixRecipe, nearest
from luthier.core.types import Task
from luthier.evaluate.measure import metric, names_of
from luthier.recipe.tune import Tune
from luthier.search.choosing.constraint import LATER, Conditions, Constraint
from luthier.stages.combinations import selection_metric

LATENCY = "latency_ms"
COSTS = ("memory_mb", LATENCY, "train_seconds", "parameters")
"""Measures that are taken beside the metrics; less is better in all of them."""


@dataclass(frozen=True)
class Goal:
    """`metric` is what is searched for; `objectives` are all that span the Pareto front, the
    metric first."""

    metric: str
    objectives: tuple[str, ...]
    conditions: Conditions

    @staticmethod
    def read(section: Tune, task: Task, own_metric: str) -> Goal:
        """The goal of a `tune:` section; `auto` is the metric of the recipe.

        Raises: FixRecipe for a name that is no metric of the task, or a condition on a measure
        that is not taken.
        """
        names = [own_metric if name == "auto" else name for name in section.maximize]
        first = selection_metric(task, names[0]) if names else selection_metric(task, own_metric)
        for name in names[1:]:
            _known(name, task)
        measures = (*names_of(task), *COSTS)
        conditions = tuple(Constraint.read(text, measures) for text in section.subject_to)
        return Goal(first, (first, *names[1:]), Conditions(conditions))

    def direction(self, name: str) -> str:
        """Whether higher or lower is better."""
        return "lower" if name in COSTS else metric(name).direction


def asks_latency(section: Tune) -> bool:
    """Whether latency is an objective or has a bound, so that every look must measure it."""
    return any(LATENCY in text for text in (*section.maximize, *section.subject_to))


def _known(name: str, task: Task) -> None:
    allowed = (*names_of(task), *COSTS)
    if name in allowed:
        return
    if name in LATER:
        raise FixRecipe(
            "tune.maximize",
            f"{name!r} cannot be measured here: {LATER[name]} is not switched on",
            ", ".join(allowed),
        )
    near = nearest(name, allowed)
    raise FixRecipe(
        "tune.maximize",
        f"{name!r} is no objective of the task {task.value}",
        ", ".join(allowed),
        f"did you mean {near!r}?" if near else "",
    )
