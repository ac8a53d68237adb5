"""A training on the rows that are most worth it, beside one on as many rows drawn by lot."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from luthier.core.files import write_json
from luthier.core.progress import Progress
from luthier.core.types import file_of
from luthier.evaluate.interval import Comparison
from luthier.evaluate.measure import better, primary
from luthier.evaluate.predictions import IntArray
from luthier.fewshot.pick import Candidates
from luthier.fewshot.picks.family import LOT, PICKS
from luthier.recipe.data import Select
from luthier.stages.fewshot.candidates import candidates_of, drawn, with_rows
from luthier.stages.fewshot.choice import FILE
from luthier.stages.fewshot.rival import Rival, put, taken
from luthier.stages.training import Trained, measured, train
from luthier.stages.workshop import Workshop
from luthier.store.artefacts import Artefacts

BY_LOT = "as many rows drawn by lot"
CHOSEN = "the chosen rows"


def train_on_picked(
    shop: Workshop, artefacts: Artefacts, progress: Progress, resume: bool = False
) -> tuple[Workshop, Trained]:
    """Chooses rows, trains on them and, where the recipe compares, on as many drawn by lot; keeps
    what does better on the validation rows. What was chosen before an interruption stays.

    Raises: every error of training; CheckRun where gradients of single rows can't be found.
    """
    select = shop.recipe.data.select
    assert select is not None
    start = taken(shop.network)
    file = shop.folder / FILE
    if resume and file.is_file():
        told: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    else:
        told = _choose(shop, select, artefacts, progress)
        write_json(file, told)
    rows = np.asarray([row["place"] for row in told["rows"]], np.int64)
    mine = with_rows(shop, rows, shop.folder)
    trained = train(mine, progress, resume)
    trained.selection = told
    if trained.interrupted or not select.compare or select.by == LOT.name:
        return mine, trained
    return _beside(shop, (mine, trained), start, progress)


def keep_choice(folder: Path, trained: Trained, against: Mapping[str, Comparison]) -> None:
    """Adds to the choice what the test rows say of chosen rows against rows drawn by lot, and
    writes it; nothing where all rows were learnt from.

    By metric (difference, low, high), above 0 where the chosen ones have the higher number.
    """
    if trained.selection is None:
        return
    way = 1.0 if trained.selection["kept"] == "chosen" else -1.0
    trained.selection["test"] = {
        name: [way * each.value, *sorted((way * each.low, way * each.high))]
        for name, each in ((n, c.difference) for n, c in against.items())
        if each.low is not None and each.high is not None
    }
    write_json(folder / FILE, trained.selection)
    shutil.rmtree(folder / "lot", ignore_errors=True)


def _beside(
    shop: Workshop, own: tuple[Workshop, Trained], start: dict[str, Any], progress: Progress
) -> tuple[Workshop, Trained]:
    """The better of a training on chosen rows and one on rows drawn by lot."""
    mine, trained = own
    assert trained.selection is not None
    told, weights, score = trained.selection, taken(shop.network), _score(mine)
    put(shop.network, start)
    progress.say("the same training on as many rows drawn by lot")
    theirs = with_rows(shop, np.asarray(told["lot"], np.int64), shop.folder / "lot")
    other = train(theirs, progress)
    name, against = _headline(shop), _score(theirs)
    told["validation"] = {"metric": name, "chosen": score, "lot": against}
    lot_wins = score is not None and against is not None and better(name, against, score)
    told["kept"] = "lot" if lot_wins else "chosen"
    if other.interrupted or lot_wins:
        other.selection, other.rival = told, Rival(CHOSEN, weights)
        return replace(theirs, folder=shop.folder), other
    trained.rival = Rival(BY_LOT, taken(shop.network))
    put(shop.network, weights)
    return mine, trained


def _score(shop: Workshop) -> float | None:
    """The network's headline metric on the validation rows; None without any."""
    rows, name = shop.part(shop.prepared.splits.validation), _headline(shop)
    if not len(rows):
        return None
    return measured(shop, shop.network, shop.exam(shop.encoded, rows), name).get(name)


def _headline(shop: Workshop) -> str:
    """The metric that decides: the recipe's, else the task's main one, for which answers are
    written; which rows are better for writing is not seen by likelihood alone."""
    wanted = shop.recipe.evaluate.metric
    return primary(shop.task) if wanted == "auto" else wanted


def _choose(
    shop: Workshop, select: Select, artefacts: Artefacts, progress: Progress
) -> dict[str, Any]:
    """What is kept of the choice: each chosen row with the numbers that spoke for it."""
    pick = PICKS[select.by]
    candidates, rows = candidates_of(shop, select, pick, artefacts, progress)
    count = select.count(len(rows))
    progress.start("choosing rows", None, "")
    order = pick.order(candidates, count)
    lot = drawn(len(rows), count, select.seed)
    numbers = _numbers(candidates, pick.reads)
    near = _nearest(candidates, order) if "vectors" in pick.reads else None
    table = shop.prepared.table
    listed = []
    for place, i in enumerate(order.tolist()):
        source = table.source_row(int(rows[i]))
        about = {name: round(float(values[i]), 5) for name, values in numbers.items()}
        if near is not None:
            about["stands_for"] = int((near == place).sum())
        listed.append({"row": int(source), "file": file_of(source), "place": int(rows[i]), **about})
    return {
        "by": select.by,
        "count": count,
        "of": len(rows),
        "reads": list(pick.reads),
        "warm": select.warm if numbers else 0,
        "means": {
            who: _means(candidates, numbers, some)
            for who, some in (("chosen", order), ("lot", lot), ("all", np.arange(len(rows))))
        },
        "kept": "chosen",
        "lot": [int(rows[i]) for i in lot],
        "rows": listed,
    }


def _numbers(candidates: Candidates, reads: tuple[str, ...]) -> dict[str, NDArray[Any]]:
    found: dict[str, NDArray[Any]] = {}
    if "gradients" in reads:
        found["agreement"] = candidates.agreement
    if "losses" in reads:
        found["loss"] = candidates.losses
    return found


def _nearest(candidates: Candidates, order: IntArray) -> IntArray:
    """Which of the chosen rows stands for each row that is to be covered."""
    return np.asarray(candidates.near[order].argmax(axis=0))


def _means(
    candidates: Candidates, numbers: dict[str, NDArray[Any]], some: IntArray
) -> dict[str, float]:
    found = {name: round(float(values[some].mean()), 5) for name, values in numbers.items()}
    if candidates.vectors.shape[1]:
        found["covered"] = round(float(candidates.near[some].max(axis=0).mean()), 5)
    return found
