"""Where questions are asked one by one, and every answer is kept before the next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from luthier.core.errors import CheckRun, FixData, nearest
from luthier.core.seeds import derive
from luthier.core.types import Interval
from luthier.evaluate.predictions import FloatArray, IntArray
from luthier.fewshot.asking.compose import MIXED, Question, batch_size, compose
from luthier.fewshot.asking.learner import Learner
from luthier.fewshot.asking.rounds import Rounds, worth_fitting
from luthier.fewshot.asking.sheet import Book, Given
from luthier.fewshot.asking.stopping import Advice, advise
from luthier.fewshot.curve import Curve
from luthier.fewshot.query import UNKNOWN, Standing
from luthier.stages.labelling.pool import Pool

BY_HAND = "asked"
"""Quota of a label that came without a question."""


@dataclass(frozen=True)
class Wishes:
    """How questions are chosen: the strategy, the size of a batch (None goes by the labels), the
    accuracy to reach if there is one, and the seed."""

    strategy: str = MIXED
    batch: int | None = None
    target: float | None = None
    seed: int = 13


@dataclass(frozen=True)
class Asked:
    """A question: the row's key, number in the file and text, why it is asked, and how many of
    the batch are left with it."""

    key: str
    number: int
    text: str
    quota: str
    left: int


@dataclass(frozen=True)
class Status:
    """How far labelling is and what it has brought."""

    labels: int
    skipped: int
    left: int
    by_quota: dict[str, int]
    by_class: dict[str, int]
    seconds: float | None
    accuracy: Interval | None
    judged: int
    curve: Curve | None
    advice: Advice
    batch: int
    target: float | None

    def forecast(self) -> list[str]:
        """Sentences on what more labels bring."""
        if self.curve is None:
            return []
        more = self.curve.at(2 * self.curve.last + self.curve.started)
        said = [f"twice the labels bring {_percent(more)} (80 % interval)"]
        if self.target is not None:
            needed = self.curve.needed(self.target)
            said.append(needed.say(self.labels, self.seconds or 0.0))
        return said

    def as_dict(self) -> dict[str, Any]:
        """A JSON-ready form."""
        accuracy, target = self.accuracy, self.target
        needed = self.curve.needed(target) if self.curve and target is not None else None
        return {
            "labels": self.labels,
            "skipped": self.skipped,
            "left": self.left,
            "by_quota": self.by_quota,
            "by_class": self.by_class,
            "seconds_per_label": self.seconds,
            "accuracy": None
            if accuracy is None
            else {"value": accuracy.value, "interval": [accuracy.low, accuracy.high],
                  "rows": self.judged},
            "needed": None
            if needed is None
            else {"target": target, "labels": needed.labels, "interval": [needed.low, needed.high],
                  "reachable": needed.reachable},
            "forecast": self.forecast(),
            "stop": self.advice.stop,
            "advice": self.advice.text,
        }  # fmt: skip


@dataclass
class Desk:
    """A person's answers over a pool. What was said before, now or another day, is there again."""

    pool: Pool
    labels: tuple[str, ...]
    learner: Learner
    book: Book
    wishes: Wishes = Wishes()
    rounds: Rounds = field(init=False)

    def __post_init__(self) -> None:
        self._place = {key: i for i, key in enumerate(self.pool.keys)}
        self._number = {label: i for i, label in enumerate(self.labels)}
        self._check()
        # By keys, so that rows added to the file later take their place in the same order.
        lots = [derive(self.wishes.seed, "lot", key) for key in self.pool.keys]
        self.order = np.argsort(np.asarray(lots), kind="stable")
        self.rounds = Rounds(len(self.labels), self.order, self.wishes.seed)
        starts = self.book.sheet.starts
        for place in worth_fitting(starts, self.learner.started):
            self.rounds.add(self.learner.round(self._given(starts[place]), self.order)[0])

    def next(self) -> Asked | None:
        """The next question; a batch that is done is followed by a fit and another one. None when
        every row was labelled or skipped."""
        sheet = self.book.sheet
        while True:
            for key, quota in sheet.queue:
                if key in self._place:
                    number, text = self.pool.rows[key][0], self.pool.texts[self._place[key]]
                    return Asked(key, number, text, quota, len(sheet.queue))
            batch = self.choose()
            if not batch:
                return None
            self.book.batch([(self.pool.keys[q.place], q.quota) for q in batch])

    def choose(self, size: int | None = None) -> list[Question]:
        """Questions by the present labels; nothing is kept of them."""
        given, wishes = self._given(), self.wishes
        point, chances = self.learner.round(given, self.order)
        self.rounds.add(point)
        before = np.bincount(self.learner.truth, minlength=len(self.labels))
        vectors = self.learner.pool.vectors
        standing = Standing(
            vectors, chances, given, self._closed(), wishes.seed, before, self.order
        )
        wanted = size or wishes.batch or self.batch_size
        return compose(standing, wanted, wishes.strategy)

    def answer(self, asked: Asked, label: str, seconds: float | None) -> None:
        """Keeps the label of a question.

        Raises: FixData for a label that is none, with the nearest.
        """
        self.refuse_unknown(label, f"row {asked.number}")
        self.book.answer(asked.key, Given(label, asked.quota, seconds))

    def bring(self, key: str, given: Given) -> None:
        """Keeps a label that came without a question."""
        self.refuse_unknown(given.label, f"row {self.pool.rows[key][0]}")
        self.book.answer(key, given)

    def chances(self, places: Sequence[int]) -> FloatArray:
        """What the present model makes of rows of the pool (Q, C)."""
        rows = self.learner.pool.take(np.asarray(places, np.int64))
        return self.learner.fit(self._given()).probabilities(rows)

    def text(self, key: str) -> str:
        """The text of a row, of one that left the pool too."""
        return self.pool.all_texts[key]

    def refuse_unknown(self, label: str, place: str) -> None:
        """Raises: FixData for a label that is none of the setting's."""
        if label not in self._number:
            near = nearest(label, self.labels)
            raise FixData(
                place,
                f"{label!r} is no label here",
                f"allowed are {', '.join(self.labels)}",
                f"did you mean {near!r}?" if near else "",
            )

    @property
    def batch_size(self) -> int:
        """How many questions the next batch has when nobody says."""
        return batch_size(len(self.labels), len(self.book.sheet.given) + len(self.learner.truth))

    def status(self) -> Status:
        """How far labelling is; models are fitted for it."""
        sheet, given, closed = self.book.sheet, self._given(), self._closed()
        self.rounds.add(self.learner.round(given, self.order)[0])
        curve = self.rounds.curve(given, closed, self.learner.started)
        batch = self.wishes.batch or self.batch_size
        gain = curve.gain(batch) if curve else None
        accuracy, target = self.rounds.accuracy(given, closed), self.wishes.target
        quotas = [g.quota for g in sheet.given.values()]
        labels = [g.label for g in sheet.given.values()]
        return Status(
            labels=len(sheet.given),
            skipped=len(sheet.skipped),
            left=sum(k not in sheet.given and k not in sheet.skipped for k in self.pool.keys),
            by_quota={quota: quotas.count(quota) for quota in dict.fromkeys(quotas)},
            by_class={label: labels.count(label) for label in self.labels},
            seconds=sheet.seconds(),
            accuracy=accuracy,
            judged=len(self.rounds.right(given, closed)),
            curve=curve,
            advice=advise(self.rounds.agreements, gain, accuracy, target, batch),
            batch=batch,
            target=target,
        )

    def _given(self, first: int | None = None) -> IntArray:
        """Class numbers of the first labels, or of all of them, over the pool (N,)."""
        found = np.full(len(self.pool), UNKNOWN)
        for key, given in list(self.book.sheet.given.items())[:first]:
            if key in self._place:
                found[self._place[key]] = self._number[given.label]
        return found

    def _closed(self) -> NDArray[np.bool_]:
        return np.asarray([key in self.book.sheet.skipped for key in self.pool.keys])

    def _check(self) -> None:
        given: Mapping[str, Given] = self.book.sheet.given
        lost = [key for key in given if key not in self.pool.rows]
        if lost:
            raise CheckRun(
                str(self.book.journal.path),
                f"{len(lost)} of {len(given)} rows labelled before are not in {self.pool.place}",
                "the pool that labelling began with; rows may be added to it",
                "give that pool, or another --out for this one",
            )
        for key, each in given.items():
            self.refuse_unknown(each.label, f"{self.book.journal.path}, row {key}")


def _percent(found: Interval) -> str:
    return f"{found.value:.1%} [{found.low:.1%}, {found.high:.1%}]"
