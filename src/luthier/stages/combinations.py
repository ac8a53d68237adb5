"""Combinations of recipe, task and base that cannot work, refused before anything is trained."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from luthier.core.errors import FixRecipe, nearest, need_extra
from luthier.core.types import Task
from luthier.evaluate.measure import names_of, primary
from luthier.recipe.recipe import Recipe
from luthier.stages.safety.attacking.together import refuse_together

if TYPE_CHECKING:
    from luthier.models.base import Base

SOFT_START = 0.3
"""As much of a fitted probe as training starts from: all of it knows its rows too well to leave
the layers below anything to learn (docs/why/rate.md)."""


def refuse_impossible(recipe: Recipe, task: Task) -> None:
    """Raises on the first contradiction between recipe and task; no model is needed to see it.

    Raises: FixRecipe naming the key.
    """
    selection_metric(task, recipe.evaluate.metric)
    _refuse_select(recipe, task)
    _refuse_stack(recipe, task)
    if recipe.train.probe_start not in ("auto", 1.0) and not starts_at_probe(recipe, task):
        raise FixRecipe(
            "train.probe_start",
            f"this {task} run does not start from a linear probe",
            advice="leave it out; it is for classes, with evaluate.probe, and without privacy",
        )
    if recipe.train.objective != "auto" and task is not Task.PREFER:
        raise FixRecipe(
            "train.objective",
            f"{recipe.train.objective!r} is a loss of preference tuning and the task is {task}",
            advice="leave it out, or give rows with prompt, chosen and rejected",
        )
    if recipe.adapter.kind == "full" and recipe.model.quantize != "none":
        raise FixRecipe(
            "adapter.kind",
            f"full fine-tuning of a base held in {recipe.model.quantize} is not possible",
            advice="set adapter.kind: lora, or model.quantize: none",
        )
    if recipe.adapter.kind == "none" and task.generates:
        raise FixRecipe(
            "adapter.kind",
            f"with 'none' a {task} task has nothing to train: it has no output layer of its own",
            "lora, ia3 or full",
        )
    if recipe.model.template_from is not None and not task.generates:
        raise FixRecipe(
            "model.template_from", f"a {task} task has no chat template", advice="leave it out"
        )
    _refuse_tracking(recipe, task)
    refuse_together(recipe, task)


def probe_start(recipe: Recipe, task: Task) -> float:
    """How much of a linear probe training starts from; all of whatever else there is."""
    given = recipe.train.probe_start
    if given != "auto":
        return given
    return SOFT_START if starts_at_probe(recipe, task) else 1.0


def begins_behind(recipe: Recipe, task: Task) -> bool:
    """Whether training starts from less than what was measured before it."""
    return probe_start(recipe, task) < 1


def starts_at_probe(recipe: Recipe, task: Task) -> bool:
    """Whether training starts from a linear probe of the training rows."""
    private = recipe.safety is not None and recipe.safety.privacy is not None
    return task is Task.CLASSIFY and recipe.evaluate.probe and not private


def _refuse_tracking(recipe: Recipe, task: Task) -> None:
    safety, place = recipe.safety, "evaluate.track"
    if recipe.evaluate.track is None:
        return
    if task not in (Task.CLASSIFY, Task.INSTRUCT):
        raise FixRecipe(place, f"the task is {task.value}", "classify, instruct")
    if recipe.tune is not None:
        raise FixRecipe(place, "a search trains many models at once", "one of tune and track")
    if recipe.fewshot.enabled == "on":
        raise FixRecipe(
            place, "few labels are learnt without updates that could be followed",
            advice="leave it out, or set fewshot.enabled: off",
        )  # fmt: skip
    if safety is not None and (safety.privacy is not None or safety.adversarial is not None):
        name = "privacy" if safety.privacy is not None else "adversarial"
        raise FixRecipe(place, f"it is not proved together with safety.{name}", "one of the two")


def _refuse_select(recipe: Recipe, task: Task) -> None:
    """Where rows are chosen, what would undo the choice or promise what it can't keep is refused.

    Raises: FixRecipe.
    """
    if recipe.data.select is None:
        return
    safety = recipe.safety
    met = {
        "data.select": None
        if task is Task.INSTRUCT
        else f"rows of a {task.value} task are not chosen",
        "tune": "a search trains on all rows" if recipe.tune else None,
        "repair": "a repair changes the rows" if recipe.repair else None,
        "safety.privacy": (
            "which rows are chosen tells of them, which nothing accounts for"
            if safety and safety.privacy
            else None
        ),
    }
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        met["data.select"] = "several processes were started"
    for place, why in met.items():
        if why:
            raise FixRecipe(
                place, f"data.select can't be taken: {why}",
                "one training of an instruction or chat model, in one process",
                "leave data.select out",
            )  # fmt: skip


def stack_obstacle(recipe: Recipe, task: Task) -> str:
    """Why network and words can't be joined under a recipe; empty where they can."""
    if task is not Task.CLASSIFY:
        return f"only classifiers are joined with words, and the task is {task.value}"
    if recipe.safety is not None or recipe.repair is not None:
        return "what safety and repair do is done to a network alone"
    if recipe.fewshot.enabled == "on":
        return "the few-shot ladder reads words itself"
    if recipe.data.select is not None:
        return "data.select chooses rows for a network alone"
    return ""


def _refuse_stack(recipe: Recipe, task: Task) -> None:
    """Raises: FixRecipe where `train.stack` is on and can't be had."""
    if recipe.train.stack == "on" and (why := stack_obstacle(recipe, task)):
        raise FixRecipe("train.stack", why, "off", "leave it out")


def refuse_misfit(recipe: Recipe, task: Task, base: Base) -> None:
    """Raises on the first contradiction between recipe and base.

    Raises: FixRecipe naming the key.
    """
    if base.masked and recipe.model.template_from is not None:
        raise FixRecipe(
            "model.template_from", "an encoder has no chat template", advice="leave it out"
        )
    wanted, known = recipe.evaluate.metric, names_of(task, base.masked)
    if wanted != "auto" and wanted not in known:
        raise FixRecipe(
            "evaluate.metric",
            f"{wanted!r} is no metric of this base, which "
            + ("fills in hidden words" if base.masked else "writes text"),
            f"one of {', '.join(known)}",
        )


def falling(task: Task) -> str | None:
    """The measure whose fall is progress too: marks and labels are found by nobody at first, and
    their F1 stays at nothing until the network is sure enough of some."""
    return "log_loss" if task in (Task.TAG, Task.MULTILABEL) else None


def selection_metric(task: Task, wanted: str) -> str:
    """The metric that chooses the best checkpoint.

    `auto` is the task's main metric; for written answers the likelihood of the references, which
    needs no generation while training. A metric that was asked for is never replaced.

    Raises: FixRecipe for a name the task does not have.
    """
    if wanted == "auto":
        return "bits_per_byte" if task is Task.INSTRUCT else primary(task)
    known = names_of(task)
    if wanted not in known:
        near = nearest(wanted, known)
        raise FixRecipe(
            "evaluate.metric",
            f"{wanted!r} is no metric of the task {task.value}",
            f"one of {', '.join(known)}",
            f"did you mean {near!r}?" if near else "",
        )
    return wanted


def check_harness(tasks: Sequence[str], base: Base) -> None:
    """Refuses harness tasks that could not be run after training.

    Raises: InstallExtra without the package, FixRecipe for an encoder.
    """
    if not tasks:
        return
    if base.kind != "causal":
        raise FixRecipe("evaluate.harness", "the harness measures causal language models only")
    if importlib.util.find_spec("lm_eval") is None:
        raise need_extra("harness", "lm-eval", "evaluate.harness")
