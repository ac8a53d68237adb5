"""The behaviour battery in the flow: the untouched model against the tuned one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from luthier.core.errors import FixRecipe
from luthier.core.progress import Progress
from luthier.core.seeds import derive
from luthier.core.types import Interval, Task
from luthier.models.network import Network
from luthier.recipe.safety.checks import Checks
from luthier.safety.battery.behaviour import (
    SEEDS,
    Change,
    Conversation,
    Write,
    changes,
    gate,
    observe,
)
from luthier.safety.battery.judge import errors
from luthier.stages.parts.generation import write_answers
from luthier.stages.parts.keeping import untouched
from luthier.stages.workshop import Workshop

TOKENS, KNOWN = 32, 50
"""Tokens of an answer, and training rows whose answers might be repeated by heart."""


def compare(shop: Workshop, section: Checks, progress: Progress) -> dict[str, Any]:
    """The battery on the untouched base and on the tuned model, JSON-ready, with the gate.

    Raises: FixRecipe for a model that does not write.
    """
    if not shop.task.generates or shop.base.masked:
        raise FixRecipe(
            "safety.checks.battery",
            f"it is on and a model for {shop.task.value} writes no answers",
            "auto or off",
        )
    known, seed = _known(shop), shop.recipe.evaluate.seed
    progress.start("behaviour before training", None, "answers")
    with untouched(shop.network, shop.base) as network:
        before = observe(_writer(shop, network, progress), known, seed)
    progress.start("behaviour after training", None, "answers")
    after = observe(_writer(shop, shop.network, progress), known, seed)
    found = changes(before, after, section.margin, seed)
    judged = errors()
    return {
        "gate": gate(found),
        "margin": section.margin,
        "seeds": SEEDS,
        "judge": {
            "sensitivity": judged.sensitivity,
            "specificity": judged.specificity,
            "labelled": judged.cases + judged.others,
        },
        "changes": [_told(change) for change in found],
        "not_measured": [] if "leakage" in before.outcomes else ["leakage: no long answers"],
    }


def _known(shop: Workshop) -> list[tuple[Conversation, str]]:
    if shop.task is not Task.INSTRUCT:
        return []
    rows = np.asarray(shop.prepared.splits.train)
    dice = np.random.default_rng(derive(shop.recipe.evaluate.seed, "leakage"))
    chosen = dice.choice(rows, min(KNOWN, len(rows)), replace=False)
    found = []
    for row in shop.prepared.table.take(np.sort(chosen)):
        *asked, last = row["messages"]
        found.append((asked, str(last.get("content") or "")))
    return found


def _writer(shop: Workshop, network: Network, progress: Progress) -> Write:
    def write(prompts: Sequence[Conversation], seed: int) -> list[str]:
        return write_answers(network, shop.contract, prompts, TOKENS, progress, seed=seed)

    return write


def _told(change: Change) -> dict[str, Any]:
    def three(found: Interval) -> list[float]:
        return [found.value, found.low, found.high]

    return {
        "measure": change.measure,
        "before": three(change.before),
        "after": three(change.after),
        "worse": three(change.worse),
        "verdict": change.verdict,
    }
