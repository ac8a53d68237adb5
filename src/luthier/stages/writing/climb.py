"""From a workshop with few rows to the way of writing that was chosen by evidence."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from luthier.core.files import write_json
from luthier.core.progress import Progress
from luthier.core.types import Task
from luthier.evaluate.measure import metric as metric_of
from luthier.evaluate.predictions import FloatArray
from luthier.fewshot.choosing.choose import Decision, Score
from luthier.fewshot.choosing.evidence import LEVEL, drawn_units, gain_of, score_of
from luthier.fewshot.writing import USUAL, Way, ways
from luthier.stages.combinations import selection_metric
from luthier.stages.fewshot.climb import climb, still
from luthier.stages.training import Trained
from luthier.stages.workshop import Workshop
from luthier.stages.writing.trial import Trial, own_shop, shown_rows, trained_by
from luthier.store.store import Store

FILE = "ladder.json"
FEWEST = 8
"""Rows, or groups of rows, below which ways can't be told apart."""


def take_ladder(
    shop: Workshop, base_folder: Path, store: Store, progress: Progress, resume: bool
) -> tuple[Workshop, Trained]:
    """The ladder of the task: rungs that classify, or ways of writing."""
    if shop.task is Task.INSTRUCT:
        return climb_writing(shop, progress, resume)
    return shop, climb(shop, base_folder, store, progress)


def climb_writing(
    shop: Workshop, progress: Progress, resume: bool = False
) -> tuple[Workshop, Trained]:
    """Chooses a way on rows held out in turn and makes its model from all training rows; what was
    chosen before an interruption stays."""
    file = shop.folder / FILE
    if resume and file.is_file():
        told: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    else:
        told = chosen_way(shop, progress)
        write_json(file, told)
    (way,) = ways((told["rung"],))
    progress.say(f"few rows: {way.name!r} was chosen; the report says why")
    mine = own_shop(shop, way, progress)
    if way.shown:
        mine.shown = shown_rows(mine, mine.prepared.splits.train)
    if way.trains:
        trained = trained_by(mine, way, progress, resume)
    else:
        score = next((s["value"] for s in told["scores"] if s["rung"] == way.name), None)
        trained = Trained(still(mine), told["metric"], score, 0)
    trained.ladder = told
    return mine, trained


def chosen_way(shop: Workshop, progress: Progress) -> dict[str, Any]:
    """All that is told of the choice, ready for JSON."""
    metric = selection_metric(shop.task, shop.recipe.evaluate.metric)
    allowed = ways(shop.recipe.fewshot.rungs)
    held = next((way for way in allowed if way.name == USUAL), allowed[0])
    trial = Trial(shop, metric, progress)
    units = len(np.unique(trial.units)) if len(trial.units) else 0
    why = ""
    if len(allowed) > 1 and units < FEWEST:
        why = f"with {units} rows a difference would be chance"
    decisions, usable = _in_time(trial, held, allowed, why)
    scores: list[Score] = []
    if len(usable) > 1:
        held = _walk(trial, held, usable, scores, decisions)
    return {
        "kind": "writing",
        "rung": held.name,
        "metric": metric,
        "rows": len(trial.units),
        "folds": len(trial.folds),
        "level": LEVEL,
        "scores": [asdict(score) for score in scores],
        "decisions": [asdict(decision) for decision in decisions],
    }


def _in_time(
    trial: Trial, held: Way, allowed: Sequence[Way], why: str
) -> tuple[list[Decision], list[Way]]:
    """Ways that are not tried, with the reason, and those that are."""
    minutes = trial.shop.recipe.fewshot.minutes
    decisions, usable = [], [held]
    limit = f"and {minutes:g} are allowed (fewshot.minutes)"
    for way in allowed:
        # What it is compared with has to be trained on the same folds.
        takes = (trial.seconds(way) + trial.seconds(held)) / 60
        reason = why or (f"it takes about {takes:.1f} minutes, {limit}" if takes > minutes else "")
        if way is held:
            continue
        if reason:
            decisions.append(Decision(way.name, held.name, False, reason))
        else:
            usable.append(way)
    return decisions, usable


def _walk(
    trial: Trial, held: Way, usable: Sequence[Way], scores: list[Score], decisions: list[Decision]
) -> Way:
    """Through the ways from simple to costly; one gives way only to one that is proved better."""
    drawn = drawn_units(int(trial.units.max()) + 1, trial.shop.recipe.train.seed)
    metric, found = metric_of(trial.metric), dict[str, FloatArray]()
    for way in sorted(usable, key=lambda each: each.order):
        trial.progress.start(f"few rows: {way.name}", None, "")
        found[way.name] = trial.sums(way)
        scores.append(Score(way.name, *score_of(metric, found[way.name], drawn)))
    for way in sorted(usable[1:], key=lambda each: each.order):
        gain = gain_of(metric, found[way.name], found[held.name], drawn)
        proven = gain.proven(len(usable) - 1)
        reason = "better" if proven else "no proof that it is better"
        decisions.append(Decision(way.name, held.name, proven, reason, gain))
        held = way if proven else held
    return held
