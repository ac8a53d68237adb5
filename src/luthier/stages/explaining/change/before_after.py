"""What fine-tuning changed: weights of words on the same rows, and confirmed shortcuts."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from luthier.core.errors import CheckRun, FixData
from luthier.core.files import write_json, write_text
from luthier.core.progress import Progress
from luthier.core.types import Task
from luthier.explain.attribution import Floats
from luthier.explain.attributions.build import member_of, unmeasured
from luthier.explain.bias.rates import interval_of, weights_of
from luthier.explain.change.weight import moved, shifts
from luthier.explain.subject import Subject
from luthier.stages.explaining.asked import data_again
from luthier.stages.explaining.change.compare import Compared, Model, compare
from luthier.stages.explaining.change.rows import Read, held_out, in_file
from luthier.stages.explaining.change.show import page_of, sentences_of
from luthier.stages.explaining.judging import verdict_of
from luthier.stages.explaining.learned import PRIVATE
from luthier.stages.parts.keeping import Tuned, open_tuned
from luthier.stages.workshop import pad_id
from luthier.store.manifest import Manifest
from luthier.store.store import RunRecord

FOLDER = "explain"
NAME = "before-after"
ROWS_SHOWN = 8
DRAWS = 1000


@dataclass(frozen=True)
class Asked:
    """Rows of a file, else the held-out ones; at most so many; and how words are weighed."""

    data: str | None = None
    rows: int = 200
    method: str = "auto"
    seed: int = 0


def before_after(
    record: RunRecord, asked: Asked, base_folder: Path, progress: Progress
) -> dict[str, Any]:
    """The comparison, JSON-ready; also kept in the run's folder as JSON and as a page.

    Raises: CheckRun for a run that is not finished, whose base was not trained, whose data changed
    or that gives no single score; FixData where there is no row to compare on; FixRecipe for an
    unknown method.
    """
    record.refuse_unfinished()
    tuned = open_tuned(record.path, progress)
    _refuse(record, tuned)
    subject = Subject.of(tuned.network, tuned.head, tuned.base.tokenizer, pad_id(tuned.base))
    if asked.method != "auto":
        member_of(asked.method, subject.writes)
    verdict, reason = verdict_of(record, tuned, subject, asked.seed, progress)
    method = asked.method
    if method == "auto":
        method = verdict.chosen if verdict else unmeasured(subject.writes)
    warning = verdict.warning(method) if verdict else reason
    with tempfile.TemporaryDirectory() as temporary:
        prepared = data_again(record, tuned, Path(temporary), progress)
        if asked.data is not None:
            read, of = in_file(tuned, asked.data, asked.rows, base_folder)
        else:
            read, of = held_out(tuned, prepared, asked.rows, asked.seed)
        if not read.passages:
            raise FixData(
                asked.data or f"run {record.id}", "there is no row that both models can read",
                advice="give rows with --data FILE",
            )  # fmt: skip
        told: dict[str, Any] = {
            "run": record.id, "task": tuned.task.value, "method": method,
            "rows": len(read.passages), "of": of, "left_out": read.left_out,
            "notes": [line for line in (warning, _privately(tuned)) if line],
        }  # fmt: skip
        found = compare(Model(tuned, prepared, subject), read, method, asked.seed, progress)
    told |= _told(read, found, tuned.head.labels.names, asked.seed)
    told["words"] = sentences_of(told)
    folder = record.path / FOLDER
    folder.mkdir(exist_ok=True)
    told["page"] = str(folder / f"{NAME}.html")
    write_json(folder / f"{NAME}.json", told)
    write_text(folder / f"{NAME}.html", page_of(told))
    Manifest.write(record.path)
    return told


def _refuse(record: RunRecord, tuned: Tuned) -> None:
    place = f"run {record.id}"
    if tuned.task not in (Task.CLASSIFY, Task.INSTRUCT) or tuned.base.masked:
        raise CheckRun(
            place, f"its task is {tuned.task.value}",
            "before and after are compared for classify and instruct",
        )  # fmt: skip
    if tuned.recipe.train.stack == "on":
        raise CheckRun(
            place, "its answers come from a network and words together",
            "a network with an output layer of its own", "run its recipe with train.stack: off",
        )  # fmt: skip
    if tuned.recipe.adapter.kind == "none" or (
        tuned.task is Task.CLASSIFY and tuned.network.output is None
    ):
        raise CheckRun(
            place, "its base was not trained, so before and after are the same model",
            "a run that trained an adapter or whole weights",
        )  # fmt: skip


def _privately(tuned: Tuned) -> str:
    private = tuned.recipe.safety is not None and tuned.recipe.safety.privacy is not None
    return PRIVATE if private else ""


def _told(read: Read, found: Compared, labels: tuple[str, ...], seed: int) -> dict[str, Any]:
    words, fewer = moved(read.passages, found.before, found.after)
    sure = [one.told() for one in words if one.finding.verdict == "found"]
    return {
        "shift": _shift(shifts(found.before, found.after), seed),
        "answers": _answers(found.answers, read) if labels else None,
        "gained": [one for one in sure if one["change"] > 0],
        "lost": [one for one in sure if one["change"] < 0],
        "looked_at": len(words),
        "too_rare": fewer,
        "shortcuts": _shortcuts(found, labels),
        "examples": _examples(read, found, labels),
    }


def _shift(each: Floats, seed: int) -> dict[str, Any]:
    if len(each) < 2:
        return {"value": float(each[0]), "low": None, "high": None}
    weights = weights_of(len(each), DRAWS, seed)
    return dict(interval_of(weights @ each / len(each)).told())


def _answers(answers: np.ndarray, read: Read) -> dict[str, Any]:
    """How many answers changed, and whether for the better where the truth is known."""
    known = [i for i, truth in enumerate(read.truth) if truth is not None]
    right = np.asarray([[a[i] == read.truth[i] for i in known] for a in answers], bool)
    return {
        "changed": int((answers[0] != answers[1]).sum()),
        "known": len(known),
        "mended": int((~right[0] & right[1]).sum()),
        "broken": int((right[0] & ~right[1]).sum()),
    }


def _shortcuts(found: Compared, labels: tuple[str, ...]) -> dict[str, Any] | None:
    seen = found.seen
    if seen is None:
        return None
    return {
        "tested": seen.tested,
        "associated": len(seen.found),
        "too_rare": seen.rare,
        "silent": [
            {"word": word, "label": labels[label], "rows": rows}
            for word, label, rows in seen.silent
        ],
        "looked_at": [one.told(labels) for one in found.shortcuts],
        "confirmed": [one.word.word for one in found.shortcuts if one.verdict == "shortcut"],
    }


def _examples(read: Read, found: Compared, labels: tuple[str, ...]) -> list[dict[str, Any]]:
    """The rows whose explanation moved most."""
    each = shifts(found.before, found.after)
    told = []
    for i in map(int, np.argsort(-each, kind="stable")[:ROWS_SHOWN]):
        passage = read.passages[i]
        one: dict[str, Any] = {"text": passage.text, "shift": float(each[i])}
        if labels:
            one["answers"] = [labels[int(a)] for a in found.answers[:, i]]
        for name, weighed in (("before", found.before[i]), ("after", found.after[i])):
            one[name] = [
                {"word": word, "ends": list(ends), "score": float(score)}
                for word, ends, score in zip(
                    passage.spelt, passage.words, weighed.scores, strict=True
                )
            ]
        told.append(one)
    return told
