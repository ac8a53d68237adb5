"""lm-evaluation-harness tasks on the untouched and the tuned model."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from luthier.core.errors import FixRecipe, nearest
from luthier.models.base import Base
from luthier.models.network import Network
from luthier.stages.parts.keeping import untouched

_NAME = re.compile(r"^task:\s*[\"']?([\w.-]+)", re.M)


def run_harness(network: Network, base: Base, tasks: Sequence[str]) -> dict[str, float]:
    """Every number the harness reports, named `task/metric base` and `task/metric tuned`.

    A task is a name the harness knows, whose data it fetches from the hub, or the YAML file of a
    task, which needs no network when its data lie here.

    Raises: FixRecipe for an unknown task or a file that names none.
    """
    if not tasks:
        return {}
    manager, names = _find(tasks)
    found: dict[str, float] = {}
    with untouched(network, base) as plain:
        found |= _measure(plain, base, manager, names, "base")
    return found | _measure(network, base, manager, names, "tuned")


def _find(tasks: Sequence[str]) -> tuple[Any, list[str]]:
    from lm_eval.tasks import TaskManager

    files = {task: Path(task).expanduser() for task in tasks if task.endswith((".yaml", ".yml"))}
    names = [_name(files[task]) if task in files else task for task in tasks]
    folders = sorted({str(file.resolve().parent) for file in files.values()})
    # To look through the harness's own thousands of tasks takes long.
    manager = TaskManager(include_path=folders or None, include_defaults=len(files) < len(tasks))
    for name in names:
        if name not in manager.all_tasks:
            near = nearest(name, manager.all_tasks)
            raise FixRecipe(
                "evaluate.harness",
                f"no task is called {name!r}",
                "a task of lm-evaluation-harness, or the YAML file of one",
                f"did you mean {near!r}?" if near else "see `lm_eval ls tasks`",
            )
    return manager, names


def _name(file: Path) -> str:
    if not file.is_file():
        raise FixRecipe("evaluate.harness", f"there is no file {file}", advice="check the path")
    named = _NAME.search(file.read_text(encoding="utf-8"))
    if named is None:
        raise FixRecipe(
            f"evaluate.harness {file.name}", "it names no task", "a line such as `task: mine`"
        )
    return named.group(1)


def _measure(
    network: Network, base: Base, manager: Any, names: list[str], which: str
) -> dict[str, float]:
    from lm_eval import simple_evaluate
    from lm_eval.models.huggingface import HFLM

    network.mode(False, False)
    model = HFLM(
        pretrained=network.model,
        tokenizer=base.tokenizer,
        backend="causal",
        batch_size=8,
        max_length=base.longest_input,
        device=base.spec.device,
    )
    measured: Any = simple_evaluate(
        model=model, tasks=names, task_manager=manager, log_samples=False, bootstrap_iters=0
    )
    return {
        f"{task}/{_shown(metric)} {which}": float(value)
        for task, metrics in measured["results"].items()
        for metric, value in metrics.items()
        if "," in metric and isinstance(value, int | float)
    }


def _shown(metric: str) -> str:
    """The harness writes `metric,filter`; two filters of one metric are two numbers."""
    name, _, kept = metric.partition(",")
    return name if kept == "none" else f"{name} ({kept})"
