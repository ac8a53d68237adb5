"""`safety.checks.attack` in a run: the tuned classifier attacked on rows it was not trained on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from luthier.core.progress import Progress
from luthier.core.seeds import derive
from luthier.core.types import Task
from luthier.recipe.safety.checks import Checks
from luthier.safety.outcome import without_rows
from luthier.stages.parts.answers import Exam, rows_of, truth_of
from luthier.stages.parts.keeping import Tuned
from luthier.stages.safety.attacking.attack import Asked, attack_rows
from luthier.stages.safety.attacking.defences import advice
from luthier.stages.safety.attacking.lexicon import lexicon_of
from luthier.stages.training import Trained
from luthier.stages.workshop import Workshop
from luthier.store.artefacts import Artefacts


@dataclass(frozen=True)
class Targets:
    """Texts to attack with their true classes, and what may be spent on them."""

    texts: tuple[str, ...]
    truths: tuple[int, ...]
    asked: Asked


def attacked(
    shop: Workshop, trained: Trained, exam: Exam, artefacts: Artefacts, progress: Progress
) -> None:
    """Adds what the usual attacks achieve on rows of `exam` to `trained.safety`, under
    `robustness`, or why none could be tried; nothing when the recipe does not ask."""
    section = _section(shop)
    if section is None or not section.attack:
        return
    told = trained.safety.setdefault("robustness", {})
    why = unfit(shop)
    if why:
        told["not_measured"] = why
        return
    found = summaries(shop, targets(shop, section, exam), artefacts, progress)
    told["attacks"] = [without_rows(one) for one in found]
    told["advice"] = advice(shop.recipe, found, shop.base.kind == "encoder")


def unfit(shop: Workshop) -> str:
    """Why a run's model cannot be attacked; empty when it can."""
    if shop.task is not Task.CLASSIFY:
        return f"attacks are for models that classify, and this one is for {shop.task.value}"
    return "the model is held in parts by several processes" if shop.network.in_parts else ""


def targets(shop: Workshop, section: Checks, exam: Exam) -> Targets:
    """At most `section.rows` rows of an exam, drawn by the seed of the evaluation."""
    asked = Asked(queries=section.queries, rows=section.rows, seed=shop.recipe.evaluate.seed)
    dice = np.random.default_rng(derive(asked.seed, "attacked rows"))
    kept = np.sort(dice.permutation(len(exam.examples))[: asked.rows])
    texts = tuple(exam.table.input_text(int(row)) for row in rows_of(exam)[kept])
    return Targets(texts, tuple(int(t) for t in truth_of(exam)[kept]), asked)


def summaries(
    shop: Workshop, found: Targets, artefacts: Artefacts, progress: Progress
) -> list[dict[str, Any]]:
    """One summary for each attack."""
    tuned = Tuned(
        shop.recipe, shop.task, shop.base, shop.network, shop.head, shop.contract,
        shop.prepared.mapping,
    )  # fmt: skip
    lexicon = lexicon_of(shop.base, artefacts, progress)
    return attack_rows(tuned, lexicon, found.texts, found.truths, found.asked, progress)


def _section(shop: Workshop) -> Checks | None:
    return shop.recipe.safety.checks if shop.recipe.safety else None
