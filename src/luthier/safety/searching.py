"""Drives many searches side by side: asks in batches, counts queries, judges what was found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from luthier.core.seeds import derive
from luthier.safety.attack import (
    Answered,
    Asked,
    Attempt,
    Case,
    Limits,
    OpenVictim,
    Probes,
    Scores,
    Search,
    Victim,
    Wanted,
)

Judge: TypeAlias = Callable[[str, str, int], "str | None"]
"""Why the second text is no valid change of the first with this truth; None when it is valid."""


@dataclass
class _Course:
    """One search under way."""

    case: Case
    search: Search
    asked: Asked
    queries: int = 1
    found: str | None = None
    thrown_away: Counter[str] = field(default_factory=Counter)
    over: bool = False
    last: bool = False

    def cut(self, most: int) -> None:
        """Keeps of the texts asked about those that may still be asked; they are the last then."""
        left = most - self.queries
        if left <= 0:
            self.over = True
        elif len(texts_of(self.asked)) > left:
            kept, self.last = list(texts_of(self.asked))[:left], True
            self.asked = Probes(kept) if isinstance(self.asked, Probes) else kept

    def take(self, answer: Answered) -> None:
        """Sends the answer to the search and waits for its next question."""
        if self.last:
            self.over = True
            return
        try:
            self.asked = self.search.send(answer)
        except StopIteration:
            self.over = True


def search_all(
    begin: Callable[[Case], Search],
    victim: OpenVictim | Victim,
    texts: Sequence[str],
    truths: Sequence[int],
    limits: Limits,
    judge: Judge,
) -> list[Attempt]:
    """One attempt per text; the query that shows a text is answered rightly counts as the first.

    A search ends when a valid text changes the answer, when it has no more to ask, or when its
    queries are spent; a text equal to the original is never a success.
    """
    attempts: list[Attempt] = []
    for first in range(0, len(texts), limits.together):
        part = slice(first, first + limits.together)
        attempts += _together(begin, victim, texts[part], truths[part], limits, judge)
    return attempts


def _together(
    begin: Callable[[Case], Search],
    victim: OpenVictim | Victim,
    texts: Sequence[str],
    truths: Sequence[int],
    limits: Limits,
    judge: Judge,
) -> list[Attempt]:
    before = victim.scores(list(texts))
    right = [bool(row.argmax() == truth) for row, truth in zip(before, truths, strict=True)]
    courses: dict[int, _Course] = {}
    for place, (text, truth) in enumerate(zip(texts, truths, strict=True)):
        if right[place]:
            dice = np.random.default_rng(derive(limits.seed, "attack", text))
            course = _opened(begin, Case(text, truth, before[place], dice, limits.queries))
            if course is not None:
                courses[place] = course
    while live := [c for c in courses.values() if not c.over]:
        for course in live:
            course.cut(limits.queries)
        _round(victim, [c for c in live if not c.over], judge)
    return [_attempt(texts[i], truths[i], right[i], courses.get(i)) for i in range(len(texts))]


def _opened(begin: Callable[[Case], Search], case: Case) -> _Course | None:
    search = begin(case)
    try:
        return _Course(case, search, next(search))
    except StopIteration:
        return None


def _attempt(text: str, truth: int, right: bool, course: _Course | None) -> Attempt:
    if course is None:
        return Attempt(text, truth, right, queries=1)
    return Attempt(text, truth, right, course.found, course.queries, dict(course.thrown_away))


def _round(victim: OpenVictim | Victim, courses: Sequence[_Course], judge: Judge) -> None:
    """Answers one question of each course."""
    asking = [c for c in courses if not isinstance(c.asked, Wanted)]
    texts = [text for c in asking for text in texts_of(c.asked)]
    answers = _shares(victim.scores(texts), asking) if texts else iter(())
    for course in courses:
        if isinstance(course.asked, Wanted):
            course.queries += 1
            course.take(_slopes(victim, course))
            continue
        scores = next(answers)
        if isinstance(course.asked, Probes):
            course.queries += len(scores)
        else:
            _judge(course, scores, judge)
        if not course.over:
            course.take(scores)


def _slopes(victim: OpenVictim | Victim, course: _Course) -> Answered:
    assert isinstance(course.asked, Wanted)
    open_victim: OpenVictim = victim  # type: ignore[assignment]
    return open_victim.slopes(course.asked.text, course.case.truth)


def texts_of(asked: Asked) -> Sequence[str]:
    """The texts of a question that are scored."""
    if isinstance(asked, Wanted):
        return ()
    return asked.texts if isinstance(asked, Probes) else asked


def _shares(scores: Scores, courses: Sequence[_Course]) -> Iterator[Scores]:
    first = 0
    for course in courses:
        size = len(texts_of(course.asked))
        yield scores[first : first + size]
        first += size


def _judge(course: _Course, scores: Scores, judge: Judge) -> None:
    """Ends the course at the first text that is valid and changes the answer."""
    case = course.case
    for text, row in zip(texts_of(course.asked), scores, strict=True):
        course.queries += 1
        if row.argmax() == case.truth or text == case.text:
            continue
        fault = judge(case.text, text, case.truth)
        if fault is None:
            course.found, course.over = text, True
            return
        course.thrown_away[fault] += 1
