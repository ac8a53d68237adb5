"""The rows that both models are asked about, and the training rows behind them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from luthier.core.errors import FixData, LuthierError
from luthier.core.seeds import derive
from luthier.core.types import Task
from luthier.data.source import open_source
from luthier.explain.attribution import Ids, Passage
from luthier.explain.change.association import words_in
from luthier.explain.passages import conversation_of, passages_of
from luthier.stages.explaining.asked import row_text
from luthier.stages.parts.keeping import Tuned
from luthier.stages.prepare import Prepared
from luthier.stages.workshop import Workshop

PURPOSE = "before against after"
WORDS = 120
"""Longer texts are left out: what some methods cost grows with their square."""


@dataclass(frozen=True)
class Read:
    """Passages, and the true class of each where it is known; how many rows were left out."""

    passages: list[Passage]
    truth: list[int | None]
    left_out: int = 0

    def joined(self, other: Read) -> Read:
        """These rows and then the others."""
        return Read(
            [*self.passages, *other.passages], [*self.truth, *other.truth],
            self.left_out + other.left_out,
        )  # fmt: skip


@dataclass(frozen=True)
class Learnt:
    """Texts (N) and classes (N,) of the training rows of a classifier."""

    texts: list[str]
    labels: Ids


def held_out(tuned: Tuned, prepared: Prepared, most: int, seed: int) -> tuple[Read, int]:
    """At most `most` of the validation and test rows, drawn by seed; and how many there are."""
    numbers = unseen(prepared)
    dice = np.random.default_rng(derive(seed, "rows before and after"))
    chosen = numbers[np.sort(dice.permutation(len(numbers))[:most])]
    return at(tuned, prepared, chosen), len(numbers)


def unseen(prepared: Prepared) -> Ids:
    """The validation and the sealed test rows."""
    return np.concatenate([prepared.splits.validation, prepared.sealed.open(PURPOSE)])


def at(tuned: Tuned | Workshop, prepared: Prepared, places: Ids) -> Read:
    """Some table rows."""
    return _read(list(prepared.table.take([int(i) for i in places])), tuned)


def in_file(tuned: Tuned, data: str, most: int, base_folder: Path) -> tuple[Read, int]:
    """At most `most` rows of a file, the first ones; and how many there are.

    Raises: FixData for a file without rows, or a row without its input.
    """
    rows = [dict(row) for _, row in open_source(data, base_folder).rows()]
    if not rows:
        raise FixData(data, "it has no rows", "a file with rows")
    if tuned.task.generates:
        missing = [n for n, row in enumerate(rows, 1) if not isinstance(row.get("messages"), list)]
        if missing:
            raise FixData(f"{data}, row {missing[0]}", "it has no messages", "a list of messages")
        return _read(rows[:most], tuned), len(rows)
    column = tuned.mapping.label or "label"
    found = [
        {"text": row_text(row, number, tuned), "label": row.get(column)}
        for number, row in enumerate(rows, start=1)
    ]
    return _read(found[:most], tuned), len(rows)


def holding(
    tuned: Tuned | Workshop,
    prepared: Prepared,
    words: Sequence[str],
    each: int,
    held: Ids,
    seed: int,
) -> Read:
    """Rows of `held`, then training rows, until every word stands in `each` where there are."""
    dice = np.random.default_rng(derive(seed, "rows with words"))
    order = [*dice.permutation(held), *dice.permutation(prepared.splits.train)]
    wanted = dict.fromkeys(words, each)
    chosen: list[int] = []
    for place, row in zip(order, prepared.table.take([int(i) for i in order]), strict=True):
        said = [word for word in words_in(str(row["text"])) if wanted.get(word, 0) > 0]
        if said:
            chosen.append(int(place))
            for word in said:
                wanted[word] -= 1
    return at(tuned, prepared, np.asarray(chosen, np.int64))


def learnt(tuned: Tuned | Workshop, prepared: Prepared) -> Learnt:
    """The training rows."""
    rows = list(prepared.table.take([int(i) for i in prepared.splits.train]))
    names = tuned.head.labels
    labels = [names.number(str(row["label"]), "the training rows") for row in rows]
    return Learnt([str(row["text"]) for row in rows], np.asarray(labels, np.int64))


def _read(rows: Sequence[dict[str, Any]], tuned: Tuned | Workshop) -> Read:
    passages: list[Passage] = []
    truth: list[int | None] = []
    names = tuned.head.labels.names
    for row in rows:
        try:
            if tuned.task.generates:
                said = row["messages"]
                one = conversation_of(said[:-1], said[-1]["content"] or "", tuned.contract, "a row")
            else:
                (one,) = passages_of([row["text"]], tuned.contract, "a row")
        except LuthierError:
            # A row that cannot be read by both models tells nothing of the two; it is counted.
            continue
        if len(one.words) > WORDS:
            continue
        passages.append(one)
        label = str(row.get("label"))
        known = tuned.task is Task.CLASSIFY and label in names
        truth.append(names.index(label) if known else None)
    return Read(passages, truth, len(rows) - len(passages))
