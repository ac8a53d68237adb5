"""What picks look at: vectors, losses and gradients of the training rows, made as far as needed."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from luthier.core.progress import Progress
from luthier.core.types import Task
from luthier.data.feed.batches import BatchPlan, collate, sequential
from luthier.evaluate.predictions import IntArray
from luthier.explain.rows.capture import Captured, capture
from luthier.explain.rows.sketch import Sketch
from luthier.fewshot.pick import Candidates, Pick
from luthier.fewshot.picks.family import LOT
from luthier.recipe.data import Data, Select
from luthier.recipe.recipe import Recipe
from luthier.stages.fewshot.rival import put, taken
from luthier.stages.labelling.vectors import Reader
from luthier.stages.training import train
from luthier.stages.workshop import Workshop
from luthier.store.artefacts import Artefacts

ROWS_PER_PASS = 32
MOST_WANTED = 256
"""Validation rows whose gradients are compared with; of more a random part."""


def candidates_of(
    shop: Workshop, select: Select, pick: Pick, artefacts: Artefacts, progress: Progress
) -> tuple[Candidates, NDArray[np.int64]]:
    """The training rows as `pick` sees them, and their places in the table (N,).

    Parameters are as before when it is over.
    """
    rows = np.sort(shop.encoded.rows[shop.part(shop.prepared.splits.train)])
    count = len(rows)
    nothing = np.zeros((count, 0), np.float32)
    vectors, gradients, wanted, losses = nothing, nothing, nothing[:0], np.zeros(count)
    if "vectors" in pick.reads:
        vectors = _vectors(shop, rows, artefacts, progress)
    if "gradients" in pick.reads or "losses" in pick.reads:
        start = taken(shop.network)
        _warm(shop, select, rows, progress)
        found = _captured(shop, rows, progress)
        gradients, losses = found.gradients, found.losses
        wanted = _wanted(shop, select, progress, gradients.shape[1])
        put(shop.network, start)
    return Candidates(vectors, gradients, losses, wanted, select.seed), rows


def drawn(rows: int, count: int, seed: int) -> IntArray:
    """Places of as many rows by lot."""
    blank = np.zeros((rows, 0), np.float32)
    return LOT.order(Candidates(blank, blank, np.zeros(rows), blank[:0], seed), count)


def with_rows(shop: Workshop, rows: NDArray[np.int64], folder: Path) -> Workshop:
    """The workshop with these training rows alone; its training is kept in `folder`."""
    splits = replace(shop.prepared.splits, train=np.sort(rows))
    return replace(shop, prepared=replace(shop.prepared, splits=splits), folder=folder)


def said(row: Mapping[str, Any]) -> str:
    """What a conversation says, question and answer."""
    return "\n".join(str(m.get("content") or "") for m in row["messages"])


def _vectors(
    shop: Workshop, rows: NDArray[np.int64], artefacts: Artefacts, progress: Progress
) -> NDArray[np.float32]:
    """The embedded encoder's, of question and answer together."""
    reading = Recipe(task=Task.CLASSIFY, data=Data(train=shop.recipe.data.train))
    texts = [said(row) for row in shop.prepared.table.take(rows)]
    return np.asarray(Reader(reading, artefacts, progress).read(texts), np.float32)


def _warm(shop: Workshop, select: Select, rows: NDArray[np.int64], progress: Progress) -> None:
    """A few updates on rows drawn by lot: gradients of an untouched adapter tell little.

    Source: Xia et al. 2024, "LESS", section 3.1.
    """
    if not select.warm:
        return
    some = rows[drawn(len(rows), select.count(len(rows)), select.seed)]
    section = shop.recipe.train.model_copy(update={"max_steps": select.warm, "patience": None})
    recipe = shop.recipe.model_copy(update={"train": section})
    timing = replace(shop.timing, steps=select.warm, every=select.warm)
    with tempfile.TemporaryDirectory() as place:
        short = with_rows(replace(shop, recipe=recipe, timing=timing), some, Path(place))
        train(short, progress)


def _captured(shop: Workshop, rows: NDArray[np.int64], progress: Progress) -> Captured:
    """Gradients and losses in the order of the table."""
    plan = BatchPlan(ROWS_PER_PASS, 0, shop.pad_id)
    parts = sequential(shop.encoded, shop.part(rows), plan, ROWS_PER_PASS)
    progress.start("gradients of rows", len(rows), "rows")
    batches = (collate(shop.encoded, part, plan) for part in parts)
    found = capture(shop.network, shop.head.losses, batches, Sketch(0), progress)
    order = np.argsort(found.rows, kind="stable")
    return Captured(found.gradients[order], found.losses[order], found.rows[order], found.left_out)


def _wanted(shop: Workshop, select: Select, progress: Progress, width: int) -> NDArray[np.float32]:
    rows = shop.prepared.splits.validation
    rows = shop.encoded.rows[shop.part(rows)]
    if not len(rows):
        return np.zeros((0, width), np.float32)
    some = drawn(len(rows), min(MOST_WANTED, len(rows)), select.seed)
    return _captured(shop, np.sort(rows[some]), progress).gradients
