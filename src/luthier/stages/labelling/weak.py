"""Labels that no person gave: by rules that vote, or by a teacher; for training only."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from luthier.core.errors import CheckRun, FixData
from luthier.core.files import write_text
from luthier.core.progress import Progress
from luthier.core.types import Interval
from luthier.evaluate.predictions import FloatArray, IntArray
from luthier.fewshot.asking.stopping import measured
from luthier.fewshot.query import UNKNOWN
from luthier.fewshot.votes.dawid_skene import DawidSkene
from luthier.fewshot.votes.majority import Majority
from luthier.fewshot.votes.report import accuracy, conflicts, report
from luthier.fewshot.votes.rules import read_rules, votes_of
from luthier.stages.labelling.pool import Pool, read_pool
from luthier.stages.labelling.setting import Setting, numbers, settle
from luthier.stages.labelling.writing import QUOTA, SOURCE
from luthier.stages.predicting import answers
from luthier.store.store import Store

MOST = 4
"""Weak labels of a class for each label a person gave it."""
PROMISED = 0.8
"""Confidence of the bound on a teacher's precision."""


@dataclass(frozen=True)
class Weak:
    """Where labels come from and go to: the run or recipe, the pool, the file, and the chance
    (rules) or precision (teacher) that a label must have."""

    target: str
    pool: str
    out: Path
    confidence: float


def by_rules(asked: Weak, rules: Path, store: Store, progress: Progress) -> dict[str, Any]:
    """Lets the rules in a file label a pool; what each rule is worth, and what was written.

    Raises: FixRecipe for a fault in the rules, FixData when the file exists.
    """
    _refuse_existing(asked.out)
    setting = settle(asked.target, store, progress)
    pool = read_pool(asked.pool, setting)
    listed = read_rules(rules, setting.labels)
    progress.start("the rules vote", None, "")
    texts = [*pool.texts, *(text for text, _ in setting.known)]
    votes = votes_of(listed, texts, setting.labels)
    truth = np.concatenate([np.full(len(pool), UNKNOWN), numbers(setting.labels, setting.known)])
    model, worth = _better(votes, truth, len(setting.labels))
    chances = model.chances(votes, len(setting.labels), truth)[: len(pool)]
    voted = (votes[: len(pool)] != UNKNOWN).any(axis=1)
    best = chances.max(axis=1)
    kept = np.flatnonzero(voted & (best >= asked.confidence))
    _write(asked, setting, pool, (kept, chances.argmax(axis=1), best), "rule")
    return {
        "source": "rule",
        "rules": report(listed, votes, truth),
        "label_model": model.name,
        "label_model_accuracy": worth and worth.told(),
        "rows": len(pool),
        "voted": int(voted.sum()),
        "conflicts": conflicts(votes[: len(pool)]),
        "written": len(kept),
        "out": str(asked.out),
        "notes": list(pool.notes),
    }


def by_teacher(asked: Weak, store: Store, progress: Progress) -> dict[str, Any]:
    """Lets a finished run label a pool where it is sure enough, at most four rows of a class for
    each that a person labelled.

    The score from which it is sure is the lowest whose precision on validation rows has a lower
    bound of `confidence`.

    Raises: CheckRun when no score promises that, or the run is not finished; FixData when the file
    exists.
    """
    _refuse_existing(asked.out)
    setting = settle(asked.target, store, progress)
    record = store.find(setting.name)
    pool = read_pool(asked.pool, setting)
    held = list(answers(record, ({"text": text} for text, _ in setting.held), progress))
    right = np.asarray([a["label"] == y for a, (_, y) in zip(held, setting.held, strict=True)])
    scores = np.asarray([a["score"] for a in held])
    level, precision = sure_from(scores, right, asked.confidence)
    if level is None:
        raise CheckRun(
            f"run {record.id}",
            f"no score promises a precision of {asked.confidence:.0%} on its "
            f"{len(held)} validation rows",
            "a teacher that is right often enough, and enough rows to prove it",
            "lower --confidence, or give the run more validation rows",
        )
    found = list(answers(record, ({"text": text} for text in pool.texts), progress))
    score = np.asarray([a["score"] for a in found])
    number = {label: i for i, label in enumerate(setting.labels)}
    label = np.asarray([number[a["label"]] for a in found], np.int64)
    kept = _capped(score, label, score >= level, Counter(y for _, y in setting.known), setting)
    _write(asked, setting, pool, (kept, label, score), "model")
    return {
        "source": "model",
        "teacher": record.id,
        "score_from": level,
        "precision": precision and precision.told(),
        "judged": len(held),
        "rows": len(pool),
        "sure": int((score >= level).sum()),
        "written": len(kept),
        "most_per_label": MOST,
        "out": str(asked.out),
        "notes": list(pool.notes),
    }


def sure_from(
    scores: FloatArray, right: Any, wanted: float
) -> tuple[float | None, Interval | None]:
    """The lowest score from which the precision's lower bound (one side, 90 %) is `wanted`, and
    the precision there; None where none is."""
    for level in np.unique(scores).tolist():
        found = measured(right[scores >= level].astype(float), PROMISED)
        if found is not None and found.low >= wanted:
            return level, found
    return None, None


def _better(votes: IntArray, truth: IntArray, classes: int) -> tuple[Any, Interval | None]:
    """The label model that finds more of the known labels without seeing them; Dawid and Skene's
    where both do equally well, or nothing is known."""
    voted = (votes != UNKNOWN).any(axis=1)
    blind = np.full(len(truth), UNKNOWN)
    worth = {
        model: accuracy(model.chances(votes, classes, blind), truth, voted)
        for model in (DawidSkene(), Majority())
    }
    first, second = worth
    one, other = worth[first], worth[second]
    if one is not None and other is not None and other.value > one.value:
        return second, other
    return first, one


def _capped(
    score: FloatArray, label: IntArray, sure: Any, given: Counter[str], setting: Setting
) -> IntArray:
    chosen: list[int] = []
    for number, name in enumerate(setting.labels):
        inside = np.flatnonzero(sure & (label == number))
        best = inside[np.argsort(-score[inside], kind="stable")]
        chosen += best[: MOST * given[name]].tolist()
    return np.sort(np.asarray(chosen, np.int64))


def _write(
    asked: Weak, setting: Setting, pool: Pool, found: tuple[IntArray, IntArray, FloatArray], by: str
) -> None:
    kept, label, chance = found
    column = setting.mapping.label or "label"
    lines = [
        pool.rows[pool.keys[i]][1]
        | {
            column: setting.labels[label[i]],
            SOURCE: by,
            QUOTA: by,
            "chance": round(float(chance[i]), 4),
        }
        for i in kept.tolist()
    ]
    if lines:
        said = (json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        write_text(asked.out, "".join(said))


def _refuse_existing(out: Path) -> None:
    if out.exists():
        raise FixData(
            str(out), "the file exists", "a new file", "name another with --out, or remove it"
        )
