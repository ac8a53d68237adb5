"""Whether rows caused an answer: the model is trained again without them, and without others."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from luthier.core.errors import FixData
from luthier.core.progress import Progress
from luthier.core.seeds import derive
from luthier.core.types import Task
from luthier.explain.attribution import Question
from luthier.explain.rows.removal import Removal, compare
from luthier.explain.subject import Subject
from luthier.recipe.recipe import Recipe
from luthier.stages.parts.keeping import Tuned
from luthier.stages.prepare import Prepared
from luthier.stages.training import train
from luthier.stages.workshop import Workshop, furnish
from luthier.store.artefacts import Artefacts

STEPS = 80
"""Updates of a fit; a run of fewer gets as many as it had."""
FITS, OTHERS = 4, 8


def verify(
    run: tuple[Tuned, Prepared, Artefacts],
    question: Question,
    removed: Sequence[int],
    progress: Progress,
) -> dict[str, Any]:
    """What became of the answer without the table rows `removed`, JSON-ready.

    Fits begin with the same weights and differ by the order of their batches. The other rows that
    are removed have the same labels.

    Raises: FixData when no row is left to remove or to train on; every error of training.
    """
    tuned, prepared, artefacts = run
    if not removed:
        raise FixData("--verify", "no row speaks for this answer", "an answer with such rows")
    with tempfile.TemporaryDirectory() as temporary:
        shop = furnish(_short(tuned.recipe), prepared, Path(temporary), artefacts, progress)
        start = {n: p.detach().clone() for n, p in shop.network.named_parameters()
                 if p.requires_grad}  # fmt: skip
        without = [_score(shop, start, removed, i, question, tuned, progress) for i in range(FITS)]
        draws = [_drawn(prepared, removed, i).tolist() for i in range(OTHERS)]
        others = [
            _score(shop, start, rows, i % FITS, question, tuned, progress)
            for i, rows in enumerate(draws)
        ]
        found = compare(without, others)
        return _told(found, len(removed), shop.timing.steps, tuned.task)


def _short(recipe: Recipe) -> Recipe:
    steps = recipe.train.max_steps
    train_section = recipe.train.model_copy(
        update={"max_steps": min(STEPS, steps) if steps else STEPS, "validations": 1}
    )
    evaluate = recipe.evaluate.model_copy(update={"track": None})
    return recipe.model_copy(update={"train": train_section, "tune": None, "evaluate": evaluate})


def _score(
    shop: Workshop,
    start: dict[str, torch.Tensor],
    removed: Sequence[int],
    seed: int,
    question: Question,
    tuned: Tuned,
    progress: Progress,
) -> float:
    """The score of the question by a model that was trained without some rows."""
    known = dict(shop.network.named_parameters())
    with torch.no_grad():
        for name, value in start.items():
            known[name].copy_(value)
    splits = shop.prepared.splits
    rest = np.setdiff1d(splits.train, np.asarray(removed, np.int64))
    own = shop.recipe.train.model_copy(update={"seed": derive(seed, "removal") % (1 << 31)})
    fit = replace(
        shop,
        recipe=shop.recipe.model_copy(update={"train": own}),
        prepared=replace(shop.prepared, splits=replace(splits, train=rest)),
    )
    train(fit, progress)
    shop.network.mode(False, False)
    subject = Subject.of(shop.network, shop.head, tuned.base.tokenizer, shop.pad_id)
    return float(subject.totals([(question.passage.ids, question)])[0])


def _drawn(prepared: Prepared, removed: Sequence[int], number: int) -> NDArray[np.int64]:
    """As many other training rows, of the same labels as far as there are enough."""
    dice = np.random.default_rng(derive(number, "other rows"))
    rest = np.setdiff1d(prepared.splits.train, np.asarray(removed, np.int64))
    if prepared.task is not Task.CLASSIFY:
        return dice.choice(rest, min(len(removed), len(rest) - 1), replace=False)
    labels = np.asarray(prepared.table.column("label"))
    found: list[int] = []
    for label, count in Counter(labels[list(removed)].tolist()).items():
        among = rest[labels[rest] == label]
        found += dice.choice(among, min(count, len(among)), replace=False).tolist()
    return np.asarray(found, np.int64)


def _told(found: Removal, rows: int, steps: int, task: Task) -> dict[str, Any]:
    number = "row" if rows == 1 else "rows"
    unit = "nats" if task is Task.INSTRUCT else "log odds"
    moved = (
        f"Training {FITS} times without the {rows} {number} moved the answer by "
        f"{found.difference:+.2f} {unit} (95 % {found.low:+.2f} to {found.high:+.2f}) against "
        f"removing other rows {OTHERS} times, {steps} updates each."
    )
    if found.caused:
        moved += f" The answer was in part caused by the {number} shown."
    else:
        moved += " That is within what removing any rows does: no cause was proved."
    return {
        "without": found.without, "others": found.others, "difference": found.difference,
        "low": found.low, "high": found.high, "caused": found.caused, "rows": rows,
        "updates": steps, "says": moved,
    }  # fmt: skip
