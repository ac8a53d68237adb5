"""Both models on the same rows: weights of words, answers, and removals of associated words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from luthier.core.progress import Progress
from luthier.core.types import Task
from luthier.explain.attribution import Attribution, Ids, Question
from luthier.explain.attributions.build import member_of
from luthier.explain.change.association import Association, Associations, associations
from luthier.explain.change.shortcut import MOST_ROWS, Shortcut, confirmed, effects
from luthier.explain.subject import Subject
from luthier.stages.explaining.change.base import untouched_subject
from luthier.stages.explaining.change.rows import Read, holding, learnt, unseen
from luthier.stages.parts.keeping import Tuned
from luthier.stages.prepare import Prepared

CANDIDATES = 20
"""Associated words that are taken out, the most out of proportion first."""


@dataclass(frozen=True)
class Model:
    """The tuned model, its data, and the model as it is explained."""

    tuned: Tuned
    prepared: Prepared
    subject: Subject


@dataclass(frozen=True)
class Compared:
    """Attributions of each row (N) before and after, the answers of both (2, N), associated words
    of the training rows, and what their removal did; `seen` is None where there are no labels."""

    before: list[Attribution]
    after: list[Attribution]
    answers: Ids
    seen: Associations | None
    shortcuts: list[Shortcut]


def compare(model: Model, read: Read, method: str, seed: int, progress: Progress) -> Compared:
    """Both models on the same rows; each is asked about the tuned model's answer.

    Raises: as the method and the probe.
    """
    tuned, subject = model.tuned, model.subject
    member = member_of(method, subject.writes)
    progress.start("weighing words after fine-tuning", len(read.passages), "texts")
    answers = np.stack([_answers(subject, read)] * 2)
    questions = [Question(p, int(a)) for p, a in zip(read.passages, answers[1], strict=True)]
    after = member.explain(subject, questions)
    seen = None
    if tuned.task is Task.CLASSIFY:
        data = learnt(tuned, model.prepared)
        seen = associations(data.texts, data.labels)
    words: tuple[Association, ...] = () if seen is None else seen.found[:CANDIDATES]
    more = Read([], [])
    if words:
        named = [one.word for one in words]
        more = holding(tuned, model.prepared, named, MOST_ROWS, unseen(model.prepared), seed)
    new = effects(subject, words, more.passages, seed)
    with untouched_subject(tuned, model.prepared, progress) as base:
        progress.start("weighing words before fine-tuning", len(questions), "texts")
        before = member.explain(base, questions)
        answers[0] = _answers(base, read)
        old = effects(base, words, more.passages, seed)
    return Compared(before, after, answers, seen, confirmed(words, old, new))


def _answers(subject: Subject, read: Read) -> Ids:
    """The classes answered (N,); 0 for a model that writes."""
    if subject.writes:
        return np.zeros(len(read.passages), np.int64)
    return np.asarray(subject.logits([p.ids for p in read.passages]).argmax(1), np.int64)
