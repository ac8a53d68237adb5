"""Whether a run takes the ladder, which classes it knows, and what it can't be combined with."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from luthier.core.errors import FixData, FixRecipe, nearest
from luthier.core.types import Task
from luthier.data.feed.labels import HeadFacts, LabelSet
from luthier.data.split import SealedTest
from luthier.fewshot.choosing.choose import EVIDENCE_FROM, EVIDENCE_ROWS
from luthier.fewshot.rungs.family import NAMES
from luthier.fewshot.rungs.tuned import TunedStack
from luthier.fewshot.writing import NAMES as WAYS
from luthier.recipe.data import Split
from luthier.recipe.fewshot import Fewshot
from luthier.recipe.model import HeadOnly
from luthier.recipe.recipe import Recipe
from luthier.stages.fewshot.switch import counts_of, few_of, is_few
from luthier.stages.prepare import Prepared

FEWEST_TESTED = 30
"""Rows a test part should have: from fewer, rows held out in turn tell more, and all are learnt."""
FEW_WRITTEN = 200
"""Training rows of a model that writes below which a plan speaks of other ways."""
OWN_WORDS = ("train", "adapter", "tune", "safety")
"""Sections that say how to train; where one is given, `auto` leaves the recipe as it is."""


def state_wish(recipe: Recipe) -> Recipe:
    """`auto` becomes `off` where the recipe says how to train; called before anything is filled in.

    A recipe that was written out whole, such as that of a finished run, says on or off.
    """
    said = [name for name in OWN_WORDS if name in recipe.model_fields_set]
    if recipe.fewshot.enabled != "auto" or not said:
        return recipe
    return _with(recipe, enabled="off")


def settle(recipe: Recipe, prepared: Prepared) -> tuple[Recipe, Prepared]:
    """The recipe with `fewshot.enabled` on or off, and the classes that are known then.

    Raises: FixRecipe for a section that can't be kept; FixData for labels outside the declared
    classes.
    """
    wish = recipe.fewshot.enabled
    if wish == "off" or (wish == "auto" and not is_few(recipe, prepared)):
        _refuse_bare(prepared)
        return _with(recipe, enabled="off"), _unused(recipe, prepared)
    refuse(recipe, prepared.task)
    if prepared.task is Task.INSTRUCT:
        written = (
            f"{len(prepared.splits.train)} training rows: ways of writing are tried on rows held "
            "out in turn, which takes several trainings more (fewshot.minutes)"
        )
        return recipe, replace(prepared, notes=(*prepared.notes, written))
    recipe, prepared = _all_learnt(recipe, prepared)
    names = declared(recipe.fewshot, prepared)
    recipe = _with(recipe, enabled="on").model_copy(
        update={"task": Task.CLASSIFY, "adapter": HeadOnly()}
    )
    rows = len(prepared.splits.train) + len(prepared.splits.validation)
    told = [f"{rows} labelled rows of {len(names)} classes: the few-shot ladder is taken"]
    told += _tuned(recipe, [counts_of(prepared).get(name, 0) for name in names])
    prepared = replace(prepared, facts=HeadFacts(LabelSet(names)), notes=(*prepared.notes, *told))
    return recipe, _with_bare(prepared)


def _unused(recipe: Recipe, prepared: Prepared) -> Prepared:
    """With a note of what the recipe says for a ladder that is not taken."""
    section = recipe.fewshot
    given = {"pool": section.pool, "descriptions": section.descriptions, "target": section.target}
    unread = [f"fewshot.{name}" for name, value in given.items() if value]
    if not unread:
        return _with_ways(recipe, prepared)
    note = (
        f"{' and '.join(unread)} {'is' if len(unread) == 1 else 'are'} not used: the few-shot "
        f"ladder is not taken (it is below {few_of(recipe)} rows per class, where the recipe does "
        "not say how to train; fewshot.enabled: on takes it in any case)"
    )
    return replace(prepared, notes=(*prepared.notes, note))


def _with_ways(recipe: Recipe, prepared: Prepared) -> Prepared:
    """With a note that other ways can be tried, where few rows teach to write."""
    rows, other = len(prepared.splits.train), (recipe.tune, recipe.safety, recipe.repair)
    if prepared.task is not Task.INSTRUCT or recipe.fewshot.enabled == "off" or any(other):
        return prepared
    if rows >= FEW_WRITTEN or recipe.data.select or int(os.environ.get("WORLD_SIZE", "1")) > 1:
        return prepared
    note = (
        f"{rows} training rows are few: with fewshot.enabled: on other ways are tried too, such as "
        "showing the nearest rows or more updates"
    )
    return replace(prepared, notes=(*prepared.notes, note))


def _tuned(recipe: Recipe, counts: Sequence[int]) -> list[str]:
    """That the encoder may be tuned, where there are labels enough to tell rungs apart."""
    minutes, section = recipe.fewshot.minutes, recipe.fewshot
    enough = np.median(counts) >= EVIDENCE_FROM or sum(counts) >= EVIDENCE_ROWS
    if not minutes or not enough or (section.rungs and TunedStack().name not in section.rungs):
        return []
    return [
        f"an encoder is tuned too, as one of the rungs, where that is expected to take at most "
        f"{minutes:g} minutes (fewshot.minutes); that is not in the time above"
    ]


def _all_learnt(recipe: Recipe, prepared: Prepared) -> tuple[Recipe, Prepared]:
    """Without a test part where one that nobody asked for would be too small to tell anything."""
    rows = len(prepared.splits.test)
    # By its value: a recipe that was kept whole, and is gone on with, says every default.
    usual = recipe.data.split.test == Split().test
    if not usual or prepared.own_test or not 0 < rows < FEWEST_TESTED:
        return recipe, prepared
    splits = prepared.splits
    train = np.sort(np.concatenate([splits.train, splits.test]))
    counts = prepared.report.rows | {"train": len(train), "test": 0}
    note = (
        f"a test part of {rows} rows would tell nothing: all rows are learnt from, and those held "
        "out in turn measure; give labelled rows as data.test for another test"
    )
    prepared = replace(
        prepared,
        splits=replace(splits, train=train, test=splits.test[:0]),
        sealed=SealedTest(splits.test[:0]),
        report=replace(prepared.report, rows=counts),
        notes=(*prepared.notes, note),
    )
    split = recipe.data.split.model_copy(update={"test": 0.0})
    data = recipe.data.model_copy(update={"split": split})
    return recipe.model_copy(update={"data": data}), prepared


def refuse(recipe: Recipe, task: Task) -> None:
    """Stops where the ladder was asked for and can't be taken.

    Raises: FixRecipe naming the key.
    """
    safety = recipe.safety
    met = {
        "fewshot.enabled": (
            None if task in (Task.CLASSIFY, Task.INSTRUCT) else f"the task is {task.value}"
        ),
        **_unwritten(recipe, task),
        "tune": "a search trains many models" if recipe.tune else None,
        "safety.privacy": "private training has no ladder" if safety and safety.privacy else None,
        "safety.adversarial": (
            "rungs are not trained against attacks" if safety and safety.adversarial else None
        ),
    }
    if safety and safety.checks and safety.checks.harden:
        met["safety.checks.harden"] = "rungs are not trained against attacks"
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        met["fewshot.enabled"] = "several processes were started"
    for place, why in met.items():
        if why:
            raise FixRecipe(
                place, f"the few-shot ladder can't be taken: {why}",
                "classifiers and models that write, in one process, without a search or protected "
                "training",
                "set fewshot.enabled: off, or leave the section out",
            )  # fmt: skip
    names = WAYS if task is Task.INSTRUCT else NAMES
    for name in recipe.fewshot.rungs:
        if name not in names:
            near = nearest(name, names)
            raise FixRecipe(
                "fewshot.rungs", f"{name!r} is no rung", f"one of {', '.join(names)}",
                f"did you mean {near!r}?" if near else "",
            )  # fmt: skip


def _unwritten(recipe: Recipe, task: Task) -> dict[str, Any]:
    """What the ladder of models that write can't be told."""
    if task is not Task.INSTRUCT:
        return {}
    section, of_classes = recipe.fewshot, "it is of classes, and answers are written"
    met: dict[str, Any] = {
        f"fewshot.{name}": of_classes
        for name in ("descriptions", "pool", "target", "target_prior")
        if getattr(section, name)
    }
    changed = "it changes what is learnt or asked"
    chosen = {"data.select": recipe.data.select, "repair": recipe.repair, "safety": recipe.safety}
    return met | {name: changed for name, value in chosen.items() if value}


def declared(section: Fewshot, prepared: Prepared) -> tuple[str, ...]:
    """The classes: those that are described, else those that have a row.

    Raises: FixData for a label that is not among the described ones; FixRecipe for a class of
    which nothing is known, and for a prior that names other classes.
    """
    counts = counts_of(prepared)
    names = tuple(sorted(section.descriptions or prepared.facts.labels.names or counts))
    strange = [name for name in counts if name not in names]
    if strange:
        near = nearest(strange[0], names)
        raise FixData(
            "the label column",
            f"{strange[0]!r} is not among the classes of fewshot.descriptions",
            f"they are {', '.join(names)}",
            f"did you mean {near!r}?" if near else "describe it, or remove its rows",
        )
    for name in section.descriptions:
        if not counts.get(name) and not says(section.descriptions[name]) and not says(name):
            raise FixRecipe(
                f"fewshot.descriptions.{name}",
                "the class has no labelled row, no description and no name in words",
                advice="describe it in a sentence",
            )
    if section.target_prior and set(section.target_prior) != set(names):
        odd = sorted(set(section.target_prior) ^ set(names))
        raise FixRecipe(
            "fewshot.target_prior", f"it does not agree with the classes on {', '.join(odd)}",
            f"a share for each of {', '.join(names)}",
        )  # fmt: skip
    if len(names) < 2:
        raise FixData(
            "the labels", f"there is one class, {names[0]!r}" if names else "there is none",
            "at least two", "describe the others in fewshot.descriptions",
        )  # fmt: skip
    return names


def _bare(prepared: Prepared) -> list[str]:
    """Classes without a row outside the test part."""
    if prepared.task is not Task.CLASSIFY:
        return []
    counts = counts_of(prepared)
    return [name for name in prepared.facts.labels.names if name not in counts]


def _refuse_bare(prepared: Prepared) -> None:
    bare = _bare(prepared)
    if bare:
        raise FixData(
            "the test rows",
            f"labels that no training row has: {_named(bare)}",
            "labels of the training rows, where there is no few-shot ladder",
            "add rows of these classes, take theirs out of the test, or set fewshot.enabled: on",
        )


def _with_bare(prepared: Prepared) -> Prepared:
    """With a note of such classes; their test rows count."""
    bare = _bare(prepared)
    if not bare:
        return prepared
    note = (
        "classes without a labelled row are known by their names or descriptions alone, and their "
        f"test rows count: {_named(bare)}"
    )
    return replace(prepared, notes=(*prepared.notes, note))


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return ", ".join(names[:8]) + more


def says(words: str) -> bool:
    """Whether a name or description has letters enough to be a word."""
    return sum(letter.isalpha() for letter in words) >= 3


def _with(recipe: Recipe, **changes: str) -> Recipe:
    return recipe.model_copy(update={"fewshot": recipe.fewshot.model_copy(update=changes)})
