"""Tasks, annotations and predictions as Label Studio writes and reads them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from luthier.core.errors import FixData
from luthier.core.files import write_json
from luthier.core.types import Task
from luthier.data.glance import glance
from luthier.data.mapping import canonical_rows, recognise
from luthier.data.source import open_source
from luthier.fewshot.asking.sheet import Given
from luthier.stages.labelling.desk import BY_HAND, Desk
from luthier.stages.labelling.pool import key_of

NAME, TO = "label", "text"
"""Names of the choice and the text in the labelling configuration."""


@dataclass(frozen=True)
class Brought:
    """What an import did: labels taken over, rows skipped by the people there, and rows left out
    by reason."""

    labels: int
    skipped: int
    left: dict[str, int]

    def notes(self) -> list[str]:
        """Sentences for a person."""
        said = [f"{self.labels} labels were taken over"]
        said += [f"{self.skipped} rows were skipped there"] if self.skipped else []
        return said + [f"{count} rows were left out: {why}" for why, count in self.left.items()]


def write_tasks(desk: Desk, path: Path) -> int:
    """How many tasks were written: every labelled row with its annotation, then the questions of
    the next batch, each with the model's prediction.

    Raises: FreeDisk.
    """
    asked = desk.choose()
    given = desk.book.sheet.given
    chances = desk.chances([q.place for q in asked])
    tasks = [
        _task(desk, key, g.quota) | {"annotations": [{"result": _choice(g.label)}]}
        for key, g in given.items()
    ]
    for question, chance in zip(asked, chances, strict=True):
        best = int(chance.argmax())
        said = {
            "model_version": "luthier",
            "score": round(float(chance[best]), 4),
            "result": _choice(desk.labels[best]),
        }
        key = desk.pool.keys[question.place]
        tasks.append(_task(desk, key, question.quota) | {"predictions": [said]})
    for number, task in enumerate(tasks, start=1):
        task["id"] = number
    write_json(path, tasks)
    return len(tasks)


def bring_labels(desk: Desk, location: str) -> Brought:
    """Takes labels over from an export of Label Studio, or from any file of labelled rows.

    Rows that are not of the pool, carry an unknown label or none, or have annotators who disagree
    are left out and counted; labels given here before stay.

    Raises: FixData when the file can't be read.
    """
    left: Counter[str] = Counter()
    labels = skipped = 0
    for text, said, quota, seconds in _read(Path(location), location):
        key = key_of(text)
        why = _refusal(desk, key, said)
        if why:
            left[why] += 1
        elif not said:
            desk.book.skip(key, quota)
            skipped += 1
        else:
            desk.bring(key, Given(said[0], quota, seconds))
            labels += 1
    return Brought(labels, skipped, dict(left))


Line = tuple[str, list[str], str, float | None]
"""Text, labels that people gave, why it was asked, and seconds; no label where it was skipped."""


def _refusal(desk: Desk, key: str, said: Sequence[str]) -> str:
    if key not in desk.pool.keys:
        return "they are not in the pool, or have a label in the data"
    if key in desk.book.sheet.given or key in desk.book.sheet.skipped:
        return "they were answered here before"
    if len(set(said)) > 1:
        return "annotators disagree, or chose several labels"
    if said and said[0] not in desk.labels:
        return f"their label is none of {', '.join(desk.labels)}"
    return ""


def _read(path: Path, location: str) -> Iterator[Line]:
    if path.suffix == ".json":
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise FixData(location, f"it can't be read: {error}", "a JSON export") from error
        if isinstance(content, list) and any(_is_task(each) for each in content):
            yield from (line for each in content for line in _annotated(each, location))
            return
    source = open_source(location)
    mapping, _ = recognise(glance(source), Task.CLASSIFY)
    for _, row in canonical_rows(source, mapping):
        yield row["text"], [str(row["label"])], BY_HAND, None


def _is_task(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("data"), dict)


def _annotated(task: Any, location: str) -> Iterator[Line]:
    """A line for a task that someone annotated; none for one that is still open."""
    if not _is_task(task) or not isinstance(task["data"].get(TO), str):
        raise FixData(location, "a task has no data.text", "tasks whose data has a `text`")
    done = task.get("annotations") or []
    kept = [a for a in done if not a.get("was_cancelled")]
    said = [
        str(choice)
        for annotation in kept
        for result in annotation.get("result") or []
        for choice in (result.get("value") or {}).get("choices") or []
    ]
    times = [a["lead_time"] for a in kept if isinstance(a.get("lead_time"), int | float)]
    if said or (done and not kept):
        quota = str(task["data"].get("luthier_quota") or BY_HAND)
        yield task["data"][TO], said, quota, float(np.median(times)) if times else None


def _task(desk: Desk, key: str, quota: str) -> dict[str, Any]:
    number, _ = desk.pool.rows[key]
    return {"data": {TO: desk.text(key), "row": number, "luthier_quota": quota}}


def _choice(label: str) -> list[dict[str, Any]]:
    return [{"from_name": NAME, "to_name": TO, "type": "choices", "value": {"choices": [label]}}]
