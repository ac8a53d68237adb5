"""Questions with given answers, put to a language model: which it finds likeliest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from string import ascii_uppercase
from typing import Any

import numpy as np

from luthier.core.progress import Progress
from luthier.core.types import Task
from luthier.data.feed.batches import BatchPlan
from luthier.data.feed.encode import encode
from luthier.data.feed.labels import HeadFacts, LabelSet
from luthier.explain.attribution import Ids
from luthier.explain.bias.questions import BiasQuestion
from luthier.models.build import build_head
from luthier.stages.parts.answers import Exam, score_all
from luthier.stages.parts.keeping import Tuned
from luthier.stages.workshop import pad_id


@dataclass(frozen=True)
class _Asked:
    """Conversations, one for each answer, and the question (M,) and answer (M,) of each."""

    listed: list[dict[str, Any]]
    question: list[int]
    answer: list[int]
    task: Task = Task.INSTRUCT

    def __len__(self) -> int:
        return len(self.listed)

    def row(self, index: int) -> dict[str, Any]:
        """One conversation."""
        return self.listed[index]

    def take(self, indices: Sequence[int]) -> Iterator[dict[str, Any]]:
        """Several, in order."""
        return (self.row(index) for index in indices)

    def source_row(self, index: int) -> int:
        """The number of its question."""
        return self.question[index] + 1


def answers_to(tuned: Tuned, questions: Sequence[BiasQuestion], progress: Progress) -> Ids:
    """The number of the answer (N,) whose tokens are likeliest on average, the answers being listed
    with letters in an order that moves on from question to question.

    Raises: FixData for a question longer than the model reads, with its number.
    """
    asked = _conversations(questions)
    # An answer that was cut off would seem likelier than it is.
    contract = replace(tuned.contract, overlong="refuse")
    rows: Any = asked
    labels = LabelSet(())
    encoded = encode(rows, contract, labels, "the questions")
    head = build_head(Task.INSTRUCT, HeadFacts(labels), tuned.recipe.train)
    exam = Exam(encoded, np.arange(len(encoded)), rows, BatchPlan(32, 0, pad_id(tuned.base)))
    progress.start("asking questions about people", len(encoded), "answers")
    scores = np.stack(score_all(tuned.network, head, exam, progress)).astype(np.float64)
    most = max(len(q.answers) for q in questions)
    found = np.full((len(questions), most), -np.inf)
    for row, (nats, tokens) in zip(encoded.rows.tolist(), scores, strict=True):
        found[asked.question[row], asked.answer[row]] = -nats / max(tokens, 1.0)
    return np.asarray(found.argmax(1), np.int64)


def _conversations(questions: Sequence[BiasQuestion]) -> _Asked:
    found = _Asked([], [], [])
    for number, one in enumerate(questions):
        count = len(one.answers)
        # The same letter would otherwise always mean the same kind of answer in some files.
        order = [(place + number) % count for place in range(count)]
        named = [f"{_letter(i)}. {one.answers[a]}" for i, a in enumerate(order)]
        prompt = "\n".join([one.context, one.question, *named])
        for answer, spelt in zip(order, named, strict=True):
            said = [{"role": "user", "content": prompt}, {"role": "assistant", "content": spelt}]
            found.listed.append({"messages": said})
            found.question.append(number)
            found.answer.append(answer)
    return found


def _letter(place: int) -> str:
    return ascii_uppercase[place] if place < len(ascii_uppercase) else str(place + 1)
