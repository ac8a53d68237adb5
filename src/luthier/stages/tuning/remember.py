"""Ordinary runs as history: one task, one trial, the recipe as it stood."""

from __future__ import annotations

import math

from luthier.core.hashing import hash_value
from luthier.evaluate.measure import metric
from luthier.search.deciding.track import DEFAULT
from luthier.search.trial import UNITS
from luthier.stages.training import Trained
from luthier.stages.tuning.configured import default_space
from luthier.stages.tuning.features import family_of, plain_features
from luthier.stages.tuning.fitting import own_offset
from luthier.stages.workshop import Workshop
from luthier.store.store import RunRecord, Store
from luthier.store.studies import PointRow, StudyRow, TrialRow


def remember(shop: Workshop, trained: Trained, record: RunRecord, store: Store) -> bool:
    """Keeps a finished run as a study with one trial, so that later searches learn from it.

    The curve is that of the validations, the anchor the one before the first update. Returns
    False, and keeps nothing, when there were no validations or the adapter is not searched.
    """
    seen = [(s, v) for s, name, v in trained.state.curve if name == f"validation {trained.metric}"]
    losses = [(s, v) for s, name, v in trained.state.curve if name == "loss"]
    if len(seen) < 2 or seen[0][0] != 0 or shop.recipe.adapter.kind == "none":
        return False
    known, steps = metric(trained.metric), shop.timing.steps
    rows = len(shop.part(shop.prepared.splits.validation))
    about = StudyRow(
        record.id,
        "",
        False,
        shop.task.value,
        family_of(shop),
        shop.base.hash,
        trained.metric,
        known.share,
        known.direction,
        seen[0][1],
        rows,
        plain_features(shop, rows),
        {"recipe": hash_value(shop.recipe.model_dump(mode="json"))},
    )
    config = dict(default_space(shop.recipe, shop.task, own_offset(shop)).default)
    store.studies.put(about)
    stopped = "finished" if seen[-1][0] >= steps else "frozen"
    store.studies.put_trial(record.id, TrialRow(DEFAULT, 0, "run", config, status=stopped))
    points: dict[int, PointRow] = {}
    before = 0
    for step, value in seen[1:]:
        unit = min(UNITS, max(1, math.floor(UNITS * step / steps)))
        own = [v for s, v in losses if before < s <= step]
        train_loss = sum(own) / len(own) if own else float("nan")
        cost = trained.state.seconds * step / max(1, trained.state.step)
        points[unit] = PointRow(DEFAULT, unit, value, float("nan"), train_loss, cost)
        before = step
    store.studies.put_points(record.id, list(points.values()))
    return True
