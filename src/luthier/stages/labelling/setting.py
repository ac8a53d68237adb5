"""What a run or a recipe tells about the labels of a pool: classes, known rows, sealed rows."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from luthier.core.errors import CheckRun, FixRecipe
from luthier.core.progress import Progress
from luthier.core.types import Task
from luthier.data.mapping import Mapping
from luthier.data.mappings.text import normalise
from luthier.evaluate.baseline import humanise
from luthier.recipe.load import load_recipe, recipe_from_dict
from luthier.recipe.recipe import Recipe
from luthier.stages.prepare import Prepared, prepare
from luthier.store.store import Store


@dataclass(frozen=True)
class Setting:
    """For whom labels are given.

    `name` is the run's id or the recipe's path, `told` what is said about each class. `known` are
    training texts with their labels, `held` those of the validation part; `sealed` are the texts
    of the test part, normalised, whose labels are not read. Paths of the recipe start at `folder`.
    """

    name: str
    recipe: Recipe
    labels: tuple[str, ...]
    told: tuple[str, ...]
    known: tuple[tuple[str, str], ...]
    held: tuple[tuple[str, str], ...]
    sealed: tuple[str, ...]
    mapping: Mapping
    folder: Path


def settle(target: str, store: Store, progress: Progress) -> Setting:
    """The setting of a recipe file, or of a run of the store.

    Raises: CheckRun for an unknown run or one whose data changed; FixRecipe for a task without
    classes; every error of reading the data.
    """
    path = Path(target)
    if path.suffix in (".yaml", ".yml") or path.is_file():
        return of_recipe(str(path), load_recipe(path), path.resolve().parent, progress)
    record = store.find(target)
    recipe = recipe_from_dict(record.recipe, f"run {record.id}")
    folder = Path(record.facts["base_folder"])
    return of_recipe(record.id, recipe, folder, progress, record.facts.get("data_hash"))


def of_recipe(
    name: str, recipe: Recipe, folder: Path, progress: Progress, print_: str | None = None
) -> Setting:
    """Reads the data of a recipe whose paths start at `folder`; `print_` is what their hash was.

    Raises: as `settle`.
    """
    with tempfile.TemporaryDirectory() as temporary:
        found = prepare(recipe, folder, Path(temporary), progress)
        if print_ is not None and print_ != found.fingerprint:
            raise CheckRun(
                f"run {name}",
                "its data file changed, so its sealed test rows are not known any more",
                "the file as it was",
                "restore it, or give the recipe in place of the run",
            )
        return _read(name, recipe, found, folder)


def _read(name: str, recipe: Recipe, found: Prepared, folder: Path) -> Setting:
    if found.task is not Task.CLASSIFY:
        raise FixRecipe(
            f"{name}: task",
            f"{found.task.value} has no single class for each row",
            "labels can be given for classify",
        )
    table, splits = found.table, found.splits
    described = recipe.fewshot.descriptions
    labels = tuple(sorted({*found.facts.labels.names, *described}))
    return Setting(
        name=name,
        recipe=recipe,
        labels=labels,
        told=tuple(f"{humanise(x)}. {described.get(x, '')}".strip(" .") for x in labels),
        known=tuple((r["text"], str(r["label"])) for r in table.take(splits.train)),
        held=tuple((r["text"], str(r["label"])) for r in table.take(splits.validation)),
        sealed=tuple(dict.fromkeys(normalise(r["text"]) for r in table.take(splits.test))),
        mapping=found.mapping,
        folder=folder,
    )


def numbers(labels: tuple[str, ...], known: Iterable[tuple[str, str]]) -> np.ndarray:
    """Class numbers of labelled texts."""
    place = {label: i for i, label in enumerate(labels)}
    return np.asarray([place[label] for _, label in known], np.int64)
