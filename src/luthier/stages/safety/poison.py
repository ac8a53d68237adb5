"""Poison in the flow: detectors before training, a search for taught triggers after it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from luthier.core.files import write_text
from luthier.core.progress import Progress
from luthier.core.seeds import derive
from luthier.core.types import Finding, Level, Task, file_of
from luthier.data.mappings.text import normalise
from luthier.models.base import BaseSpec, load_base
from luthier.safety.detector import Evidence, Suspicion
from luthier.safety.detectors.build import suspicions
from luthier.safety.poison.insertion import flips
from luthier.safety.poison.likelihood import Likelihood
from luthier.safety.poison.phrases import words_of
from luthier.stages.parts.answers import features, score_all
from luthier.stages.workshop import Workshop

ROWS = 2000
"""Training rows that are looked at; more are drawn from, which is stated."""
CLEAN = 200
"""Validation rows into which suspicious phrases are put."""
PHRASES, USUAL = 5, 3
WORK_LIST = "poison.jsonl"


def look(shop: Workshop, progress: Progress) -> dict[str, Any]:
    """Suspicions about the training rows, for the report; they also become findings of the data
    report and lines of `poison.jsonl` in the run's folder. No row is removed.

    Raises: FreeDisk.
    """
    rows = np.asarray(shop.prepared.splits.train)
    seed = shop.recipe.train.seed
    if len(rows) > ROWS:
        dice = np.random.default_rng(derive(seed, "poison"))
        rows = np.sort(dice.choice(rows, ROWS, replace=False))
    progress.start("looking for poisoned rows", None, "")
    found, silent = suspicions(_evidence(shop, rows))
    numbers = [shop.prepared.table.source_row(int(row)) for row in rows]
    _add_findings(shop, found, numbers)
    lines = [line for one in found for line in _lines(one, numbers)]
    write_text(shop.folder / WORK_LIST, "".join(f"{json.dumps(line)}\n" for line in lines))
    return {
        "rows": len(rows),
        "of": len(shop.prepared.splits.train),
        "silent": silent,
        "suspicions": [_told(one, numbers) for one in found],
        "flips": [],
    }


def search(shop: Workshop, told: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """`told` with the share of clean rows that each suspicious phrase turns, with intervals."""
    phrases = [(s["trigger"], s["target"]) for s in told["suspicions"] if s["trigger"]][:PHRASES]
    check = np.asarray(shop.prepared.splits.validation)
    if shop.task is not Task.CLASSIFY or not phrases or not len(check):
        return told
    progress.start("looking for taught triggers", None, "")
    seed = shop.recipe.train.seed
    dice = np.random.default_rng(derive(seed, "clean"))
    chosen = dice.choice(check, min(CLEAN, len(check)), replace=False)
    texts = [str(row["text"]) for row in shop.prepared.table.take(np.sort(chosen))]
    known = {word for phrase, _ in phrases for word in phrase.split(" ")}
    counts = Counter(w for text in texts for w in words_of(text) if w.isalpha())
    usual = [word for word, _ in counts.most_common(USUAL * 4) if word not in known][:USUAL]
    turned = flips(phrases, usual, texts, lambda given: _labels(shop, given), seed)
    records = [
        {
            "phrase": f.phrase,
            "target": f.target,
            "rows": f.rows,
            "rate": [f.rate.value, f.rate.low, f.rate.high],
            "usual": [f.usual.value, f.usual.low, f.usual.high],
            "planted": f.planted,
        }
        for f in turned
    ]
    return told | {"flips": records}


def _evidence(shop: Workshop, rows: NDArray[np.int64]) -> Evidence:
    table, task = shop.prepared.table, shop.task
    texts = [table.input_text(int(row)) for row in rows]
    labels: list[str] | None = None
    answers: list[str] | None = None
    if task is Task.CLASSIFY:
        labels = [str(row["label"]) for row in table.take(rows)]
    elif task is Task.INSTRUCT:
        answers = [str(row["messages"][-1].get("content") or "") for row in table.take(rows)]
        labels = _repeated(answers)
    vectors = _vectors(shop, rows) if task is Task.CLASSIFY else None
    base = shop.base if shop.base.kind == "causal" else None
    base = base or load_base(BaseSpec("embedded:causal"), Task.ADAPT)
    return Evidence(texts, labels, answers, vectors, Likelihood(base))


def _repeated(answers: Sequence[str], least: int = 5) -> list[str] | None:
    """Answers that occur again and again as labels, all others as one; None when none repeats."""
    plain = [normalise(answer) for answer in answers]
    counts = Counter(plain)
    labels = [answer[:80] if counts[answer] >= least else "(others)" for answer in plain]
    return labels if len(set(labels)) > 1 else None


def _vectors(shop: Workshop, rows: NDArray[np.int64]) -> NDArray[np.float32] | None:
    examples = shop.part(rows)
    if len(examples) != len(rows) or shop.network.in_parts:
        return None
    by_row = {int(shop.encoded.rows[e]): i for i, e in enumerate(examples)}
    found = features(shop.network, shop.exam(shop.encoded, examples))
    return found[[by_row[int(row)] for row in rows]]


def _labels(shop: Workshop, texts: Sequence[str]) -> list[str]:
    from luthier.data.feed.example import encode_texts
    from luthier.stages.predicting import without_truth

    encoded = without_truth(encode_texts(list(texts), shop.contract), shop.task)
    scores = score_all(shop.network, shop.head, shop.exam(encoded, np.arange(len(texts))))
    return [shop.head.labels.names[int(score.argmax())] for score in scores]


def _add_findings(shop: Workshop, found: Sequence[Suspicion], numbers: Sequence[int]) -> None:
    new = tuple(
        Finding.at(
            f"poison-{one.detector}",
            Level.WARNING if one.p_value is not None else Level.INFO,
            f"{one.message}; {one.advice}",
            len(one.rows),
            [numbers[row] for row in one.rows[:20]],
        )
        for one in found
    )
    report = shop.prepared.report
    order = {Level.ERROR: 0, Level.WARNING: 1, Level.INFO: 2}
    findings = sorted((*report.findings, *new), key=lambda f: order[f.level])
    shop.prepared = replace(shop.prepared, report=replace(report, findings=tuple(findings)))


def _told(one: Suspicion, numbers: Sequence[int]) -> dict[str, Any]:
    return {
        "detector": one.detector,
        "message": one.message,
        "advice": one.advice,
        "count": len(one.rows),
        "rows": [int(numbers[row]) for row in one.rows[:20]],
        "p_value": one.p_value,
        "trigger": one.trigger,
        "target": one.target,
    }


def _lines(one: Suspicion, numbers: Sequence[int]) -> list[dict[str, Any]]:
    shared = {"detector": one.detector, "why": one.message, "advice": one.advice}
    return [{"file": file_of(numbers[row]), "row": int(numbers[row])} | shared for row in one.rows]
