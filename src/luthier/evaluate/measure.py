"""Metrics by name: their values, which is better, and which one decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from luthier.core.errors import FixRecipe, nearest
from luthier.core.types import Task
from luthier.evaluate.metric import Metric
from luthier.evaluate.metrics import FAMILY
from luthier.evaluate.metrics.masked import MASKED_LOSS
from luthier.evaluate.predictions import MaskedPredictions, Predictions

_PRIMARY: Mapping[Task, str] = {
    Task.CLASSIFY: "accuracy",
    Task.MULTILABEL: "micro_f1",
    Task.REGRESS: "mae",
    Task.TAG: "entity_f1",
    Task.INSTRUCT: "rougeL",
    Task.ADAPT: "bits_per_byte",
    Task.PREFER: "pair_accuracy",
}


def metrics_of(predictions: Predictions) -> dict[str, float]:
    """Every metric that is defined for these predictions, by name; values are finite."""
    values = {m.name: m.value(predictions) for m in FAMILY[type(predictions)]}
    return {name: value for name, value in values.items() if value is not None}


def absent(predictions: Predictions) -> dict[str, str]:
    """The metrics without a value here, each with the reason."""
    reasons: dict[str, str] = {}
    for metric in FAMILY[type(predictions)]:
        if metric.value(predictions) is None:
            reasons[metric.name] = (
                metric.undefined if len(predictions.rows) else "there are no rows"
            )
    return reasons


def chosen(predictions: Predictions, names: Sequence[str] | None) -> tuple[Metric, ...]:
    """The metrics called `names` of this kind of predictions; all when None.

    Raises: FixRecipe for an unknown name.
    """
    family = {m.name: m for m in FAMILY[type(predictions)]}
    return tuple(_pick(family, name) for name in (family if names is None else names))


def metric(name: str) -> Metric:
    """A metric by name; of two kinds of predictions that share a name, either, as direction agrees.

    Raises: FixRecipe for an unknown name.
    """
    return _pick({m.name: m for members in FAMILY.values() for m in members}, name)


def names_of(task: Task, masked: bool | None = None) -> tuple[str, ...]:
    """The metrics a task can report, the main one first.

    `masked` tells whether the model fills in hidden words; None gives the metrics of both kinds.
    """
    first = primary(task, bool(masked))
    names = [
        m.name
        for kind, members in FAMILY.items()
        if masked is None or masked == (kind is MaskedPredictions)
        for m in members
        if task in m.tasks
    ]
    return (first, *(name for name in names if name != first))


def primary(task: Task, masked: bool = False) -> str:
    """The metric that chooses checkpoints and makes the headline of a task."""
    return MASKED_LOSS.name if masked else _PRIMARY[task]


def better(name: str, a: float, b: float) -> bool:
    """Whether value `a` of a metric is strictly better than `b`.

    Raises: FixRecipe for an unknown name.

    >>> better("accuracy", 0.9, 0.8), better("mae", 0.9, 0.8)
    (True, False)
    """
    return a > b if metric(name).direction == "higher" else a < b


def _pick(family: Mapping[str, Metric], name: str) -> Metric:
    if name not in family:
        close = nearest(name, family)
        raise FixRecipe(
            "metric",
            f"{name!r} is not a metric of this task",
            "allowed are " + ", ".join(family),
            f"did you mean {close!r}?" if close else "choose one of these",
        )
    return family[name]
