"""A plan from files alone where they tell enough, else from the loaded model."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np

from luthier.core.progress import Progress
from luthier.core.types import Task
from luthier.data.feed.contract import PromptContract
from luthier.data.feed.encode import encode, nothing
from luthier.models.adapters.build import build_adapter
from luthier.models.places import default_id, locate
from luthier.models.probe import known_precision, may_have_cuda
from luthier.models.sketch import Sketch, sketch
from luthier.recipe.recipe import Recipe
from luthier.stages.combinations import refuse_impossible
from luthier.stages.fewshot.settling import settle as settle_fewshot
from luthier.stages.fewshot.settling import state_wish
from luthier.stages.forecast.result import Foreseen, PlanResult
from luthier.stages.forecast.rules import (
    costs,
    most_tokens,
    paths_of,
    resolved,
    schedule,
    untrained,
)
from luthier.stages.forecast.sizes import body_of, seconds_per_token
from luthier.stages.parts.privately import make_private
from luthier.stages.prepare import Prepared, prepare
from luthier.stages.safety.outlook import outlook_notes, spending_notes


def foresee(
    recipe: Recipe, base_folder: Path, folder: Path, home: Path, progress: Progress
) -> PlanResult:
    """What a run would do and cost; `folder` is for temporary files, `home` that of the runs.

    Raises: every error a run would meet before its first update.
    """
    recipe, prepared = settle_fewshot(
        state_wish(recipe), prepare(recipe, base_folder, folder, progress)
    )
    refuse_impossible(recipe, prepared.task)
    recipe = make_private(recipe, prepared)
    found = _foreseen(recipe, prepared, folder, progress)
    steps = schedule(found.resolved, found.rows["train"]).steps if found.rows["train"] else 0
    spending = spending_notes(found.resolved, prepared, steps, home) if steps else ()
    return replace(found, notes=(*found.notes, *spending))


def _foreseen(recipe: Recipe, prepared: Prepared, folder: Path, progress: Progress) -> PlanResult:
    known = _known(recipe, prepared.task)
    if known is not None:
        return _from_files(recipe, prepared, known, progress)
    progress.start("loading the libraries", None, "")
    from luthier.stages.workshop import furnish, plan_of

    return plan_of(furnish(recipe, prepared, folder, None, progress))


def _known(recipe: Recipe, task: Task) -> Sketch | None:
    """The base as its files tell it, where nothing else could matter."""
    model = recipe.model
    if task.generates or recipe.evaluate.harness or may_have_cuda():
        return None
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        # What each of several processes has free is known once they have met.
        return None
    if model.revision or model.quantize != "none" or model.attention != "auto":
        return None
    precision = known_precision("cpu") if model.precision == "auto" else model.precision
    folder = Path(locate(_id(recipe, task)))
    return sketch(folder) if precision == "float32" and folder.is_dir() else None


def _id(recipe: Recipe, task: Task) -> str:
    return default_id(task) if recipe.model.id == "auto" else recipe.model.id


def _from_files(recipe: Recipe, prepared: Prepared, base: Sketch, progress: Progress) -> PlanResult:
    task, splits, name = prepared.task, prepared.splits, _id(recipe, prepared.task)
    longest = most_tokens(recipe, base.longest_input, name)
    contract = PromptContract(base.tokenizer, None, (), longest, recipe.model.overlong)
    adapter = build_adapter(recipe.adapter)
    body = body_of(base, adapter, task, prepared.facts.labels)
    legal = paths_of(recipe, task, body, adapter)
    progress.start("tokenising", None, "rows")
    rows = [int(i) for i in np.concatenate([splits.train, splits.validation])]
    encoded = nothing(task)
    if rows:
        encoded = encode(prepared.table, contract, prepared.facts.labels, recipe.data.train, rows)
    train = encoded.among(splits.train)
    filled = resolved(recipe, task, len(train), body, adapter)
    timing = schedule(filled, len(train))
    lengths = encoded.lengths[train]
    costing = untrained(body)
    if len(train):
        per_token = seconds_per_token(base, float(lengths.mean()))
        costing = costs(filled, body, lengths, timing.steps, per_token)
    return Foreseen(
        recipe=filled,
        prepared=prepared,
        contract=contract,
        encoded=encoded,
        legal=legal,
        timing=timing,
        costs=costing,
        base=name,
        held="weights in float32 on cpu",
        notes=outlook_notes(filled, prepared, timing.steps, body.trained),
    ).result()
