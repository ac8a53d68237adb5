"""lm-evaluation-harness tasks on the untouched and the tuned model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from luthier.core.errors import FixRecipe
from luthier.models.base import Base
from luthier.models.network import Network
from luthier.stages.parts.keeping import untouched


def run_harness(network: Network, base: Base, tasks: Sequence[str]) -> dict[str, float]:
    """Every number the harness reports, named `task/metric base` and `task/metric tuned`.

    The harness fetches its data sets from the hub, so it needs a network.

    Raises: FixRecipe for an unknown task.
    """
    if not tasks:
        return {}
    found: dict[str, float] = {}
    with untouched(network, base) as plain:
        found |= _measure(plain, base, tasks, "base")
    return found | _measure(network, base, tasks, "tuned")


def _measure(network: Network, base: Base, tasks: Sequence[str], which: str) -> dict[str, float]:
    from lm_eval import simple_evaluate
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    manager = TaskManager()
    unknown = [task for task in tasks if task not in manager.all_tasks]
    if unknown:
        raise FixRecipe("evaluate.harness", f"no task is called {', '.join(unknown)}")
    model = HFLM(pretrained=network.model, tokenizer=base.tokenizer, batch_size=8)
    results: dict[str, Any] = simple_evaluate(model=model, tasks=list(tasks))["results"]
    return {
        f"{task}/{metric.split(',')[0]} {which}": float(value)
        for task, metrics in results.items()
        for metric, value in metrics.items()
        if isinstance(value, int | float)
    }
