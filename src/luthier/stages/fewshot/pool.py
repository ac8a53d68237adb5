"""The texts nobody has labelled: read, and freed of what must not be learnt from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from luthier.core.errors import FixData
from luthier.core.types import Task
from luthier.data.glance import glance
from luthier.data.mapping import Mapping, Refusals, canonical_rows, recognise
from luthier.data.mappings.text import normalise
from luthier.data.source import Source, open_source
from luthier.recipe.recipe import Recipe
from luthier.stages.prepare import Prepared

MOST = 20_000
"""Texts that are read; more would not move a mean any further."""


@dataclass(frozen=True)
class Pool:
    """Unlabelled texts, and in words what was left out of the file."""

    texts: tuple[str, ...]
    notes: tuple[str, ...] = ()


def read_pool(recipe: Recipe, prepared: Prepared, base_folder: Path) -> Pool:
    """The texts of `fewshot.pool` that stand in no split, each once.

    Test rows in it are left out and counted: a classifier that has seen them is not measured by
    them.

    Raises: FixData when the file is missing or has no text.
    """
    place = recipe.fewshot.pool
    if place is None and not len(prepared.splits.train):
        # Without labels the training file is the pool.
        place = recipe.data.train
    if place is None:
        return Pool(())
    source = open_source(place, base_folder, recipe.data.format, None, recipe.data.encoding)
    mapping = pool_mapping(source, prepared.mapping)
    refusals = Refusals()
    texts = [row["text"] for _, row in canonical_rows(source, mapping, refusals)]
    seen = {
        part: {normalise(prepared.table.input_text(int(i))) for i in rows}
        for part, rows in prepared.splits.as_dict().items()
    }
    return _sifted(texts, seen, refusals.count)


def pool_mapping(source: Source, like: Mapping) -> Mapping:
    """Which columns hold the text of unlabelled rows: those of the labelled ones where they are
    there.

    Raises: FixData when no column holds text.
    """
    rows = glance(source)
    if not rows:
        raise FixData("fewshot.pool", "there are no rows", advice="give texts, or leave it out")
    if like.text and all(column in rows[0] for column in like.text):
        return Mapping(Task.ADAPT, text=like.text, separator=like.separator)
    return recognise(rows, Task.ADAPT)[0]


def _sifted(texts: list[str], seen: dict[str, set[str]], empty: int) -> Pool:
    kept: dict[str, str] = {}
    counts = dict.fromkeys(("test", "labelled", "twice"), 0)
    for text in texts:
        key = normalise(text)
        if key in seen["test"]:
            counts["test"] += 1
        elif key in seen["train"] or key in seen["validation"]:
            counts["labelled"] += 1
        elif key in kept:
            counts["twice"] += 1
        else:
            kept[key] = text
    said = {
        "test": "as test rows",
        "labelled": "as labelled rows",
        "twice": "as repeating an earlier text",
    }
    counted = {words: counts[name] for name, words in said.items()} | {"as empty": empty}
    notes = [f"left out of the pool {words}: {n}" for words, n in counted.items() if n]
    found = list(kept.values())
    if len(found) > MOST:
        chosen = np.sort(np.random.default_rng(0).permutation(len(found))[:MOST])
        notes.append(f"{MOST} of the pool's {len(found)} texts were drawn and read")
        found = [found[int(i)] for i in chosen]
    return Pool(tuple(found), tuple(notes))
