"""Earlier runs of the store whose encoders may help a task with few labels, and the one taken."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from luthier.core.errors import LuthierError
from luthier.core.progress import Progress
from luthier.core.types import Task
from luthier.data.mappings.text import normalise
from luthier.data.table import Table
from luthier.fewshot.rung import Known
from luthier.fewshot.rungs.earlier import EarlierStack, nearest
from luthier.fewshot.tuning.earlier import Left
from luthier.models.base import Base
from luthier.models.files import check_safetensors
from luthier.recipe.load import recipe_from_dict
from luthier.recipe.model import Ia3, Lora
from luthier.recipe.recipe import Recipe
from luthier.recipe.tune import Tune
from luthier.stages.workshop import Workshop
from luthier.store.store import RunRecord, Store

TASKS = (Task.CLASSIFY, Task.MULTILABEL, Task.REGRESS, Task.TAG)
MOST = 8
"""Earlier runs that are looked at, the newest of each data set first: each reads all rows once."""
SHARED = 0.01
"""Share of this task's texts from which on an earlier run that read them is left out: rows held
out here would be rows it was trained on."""


def earlier_of(
    shop: Workshop, store: Store, progress: Progress
) -> tuple[tuple[Left, ...], tuple[str, ...]]:
    """Encoders that runs on other data left, of the same base and tenant, and what is to be told of
    runs that were left out.

    Private runs are never looked at, nor does a private task look at others.
    """
    recipe = shop.recipe
    if not recipe.fewshot.earlier or shop.base.kind != "encoder" or _guarded(recipe):
        return (), ()
    allowed = recipe.fewshot.rungs
    if recipe.model.quantize != "none" or (allowed and EarlierStack().name not in allowed):
        return (), ()
    progress.start("looking for earlier runs", None, "")
    found: list[Left] = []
    notes: list[str] = []
    seen = {shop.prepared.fingerprint}
    mine = cache(lambda: _texts(shop.prepared.table))
    for record in store.list(None, "finished"):
        data = str(record.facts.get("data_hash"))
        if data in seen or record.task not in TASKS or not _open_to(record, _tenant(recipe)):
            continue
        left = left_by(record.path, shop.base, shop.pad_id)
        theirs = _read_by(record) if left else set()
        if left is None or not theirs:
            continue
        seen.add(data)
        if len(mine() & theirs) >= SHARED * len(mine()):
            notes.append(f"run {record.id} was left out: it has read rows of this task")
            continue
        found.append(left)
        if len(found) == MOST:
            break
    return tuple(found), tuple(notes)


def put_earlier(shop: Workshop, known: Known) -> dict[str, Any]:
    """Puts the encoder of the nearest earlier run into the workshop; returns which run that was."""
    left = nearest(known)
    assert isinstance(left, Left)
    shop.network, shop.adapter = left.network(), left.adapter
    shop.recipe = shop.recipe.model_copy(update={"adapter": left.section})
    return {"run": left.name, "tried": [other.name for other in known.earlier]}


def left_by(folder: Path, onto: Base, pad_id: int) -> Left | None:
    """The encoder that the run in `folder` tuned, for a base; None where it has another base,
    nothing that goes onto this one, or an encoder that it took from a run before it."""
    from safetensors.torch import load_file

    place = folder / "model"
    file = place / "adapter" / "adapter_model.safetensors"
    try:
        base = json.loads((place / "base.json").read_text(encoding="utf-8"))
        own = json.loads((folder / "recipe.json").read_text(encoding="utf-8"))
        section = recipe_from_dict(own, f"run {folder.name}").adapter
        if base["hash"] != onto.hash or not isinstance(section, Lora | Ia3):
            return None
        ladder = folder / "ladder.json"
        if ladder.is_file() and json.loads(ladder.read_text(encoding="utf-8")).get("earlier"):
            return None
        check_safetensors(file)
        weights = load_file(str(file))
        moved = [bool(values.any()) for name, values in weights.items() if "lora_B" in name]
        if moved and not any(moved):
            # Its training was given up for what stood before the first update.
            return None
    except (OSError, ValueError, KeyError, LuthierError):
        # A run whose files are gone or damaged is no help; its own verbs say what is wrong.
        return None
    return Left(folder.name, onto, pad_id, section, weights)


def _open_to(record: RunRecord, tenant: str) -> bool:
    """Whether a run may be looked at at all."""
    try:
        past = recipe_from_dict(record.recipe, f"run {record.id}")
    except LuthierError:
        return False
    return not _guarded(past) and _tenant(past) == tenant


def _read_by(record: RunRecord) -> set[str]:
    """The texts of a run; none where they are gone."""
    try:
        return _texts(Table.open(record.path / "rows.arrow"))
    except LuthierError:
        return set()


def _guarded(recipe: Recipe) -> bool:
    private = recipe.safety is not None and recipe.safety.privacy is not None
    return private or (recipe.tune or Tune()).private


def _tenant(recipe: Recipe) -> str:
    return (recipe.tune or Tune()).tenant


def _texts(table: Table) -> set[str]:
    return {normalise(text) for text in table.column("text")}
