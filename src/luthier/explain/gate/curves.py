"""What hiding the words that matter does to an answer, and what keeping only them does.

Source: DeYoung et al. 2020, "ERASER", section 4 (comprehensiveness and sufficiency); Edin et al.
2024, "Normalized AOPC", section 4 (bounds of each model and text).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Literal

import numpy as np

from luthier.explain.attribution import Floats, Ids, Question
from luthier.explain.subject import Ask, Subject

SHARES = (0.05, 0.1, 0.2, 0.5)
"""Which parts of the words are hidden or kept; of each at least one word."""
How = Literal["delete", "mask"]
What = Literal["comprehensiveness", "sufficiency"]
Kind = tuple[What, How]


def kinds(subject: Subject) -> list[Kind]:
    """What is measured; a model that writes has no token for a gap, so its words are left out."""
    hows: list[How] = ["delete"] if subject.writes else ["delete", "mask"]
    whats: list[What] = ["comprehensiveness", "sufficiency"]
    return [(what, how) for what in whats for how in hows]


def sizes(words: int) -> list[int]:
    """How many words each of `SHARES` is."""
    return [min(words, max(1, ceil(share * words))) for share in SHARES]


def beliefs(subject: Subject, asks: Sequence[Ask]) -> Floats:
    """How much the model believes its answer (B,): a probability, a value, or the mean
    probability of a written token."""
    if subject.writes:
        return np.asarray([np.exp(v.mean()) for v in subject.values(asks)])
    totals = subject.totals(asks)
    return totals if subject.head.task.value == "regress" else 1 / (1 + np.exp(-totals))


def changed(question: Question, words: Sequence[int], kind: Kind, fill: int) -> Ids:
    """The tokens without `words`, or with no others."""
    what, how = kind
    passage = question.passage
    gone = list(words)
    if what == "sufficiency":
        gone = sorted(set(range(len(passage.words))) - set(words))
    return passage.without(gone) if how == "delete" else passage.masked(gone, fill)


def drops(
    subject: Subject,
    questions: Sequence[Question],
    orders: Sequence[Sequence[int]],
    kind: Kind,
    before: Floats,
) -> Floats:
    """How much belief each text loses (N,), averaged over `SHARES`, when the first words of its
    order are hidden, or only they are kept. `before` (N,) is the belief in the whole text."""
    asks: list[Ask] = []
    for question, order in zip(questions, orders, strict=True):
        for size in sizes(len(question.passage.words)):
            asks.append((changed(question, order[:size], kind, subject.fill), question))
    after = beliefs(subject, asks).reshape(len(questions), len(SHARES))
    return np.asarray((before[:, None] - after).mean(1))


@dataclass(frozen=True)
class Bounds:
    """What chance loses (N,), and what a search for the best words loses."""

    chance: Floats
    best: Floats


def bounds(
    subject: Subject,
    questions: Sequence[Question],
    kind: Kind,
    before: Floats,
    seed: int,
    draws: int = 3,
) -> Bounds:
    """The mean of `draws` random orders, and a greedy order that asks the model again at each of
    the sizes that are measured."""
    dice = np.random.default_rng(seed)
    found = []
    for _ in range(draws):
        orders = [dice.permutation(len(q.passage.words)).tolist() for q in questions]
        found.append(drops(subject, questions, orders, kind, before))
    best = drops(subject, questions, _greedy(subject, questions, kind), kind, before)
    return Bounds(np.mean(found, axis=0), best)


def _greedy(subject: Subject, questions: Sequence[Question], kind: Kind) -> list[list[int]]:
    """Words in the order in which each next one changes the most."""
    orders: list[list[int]] = [[] for _ in questions]
    sign = 1.0 if kind[0] == "comprehensiveness" else -1.0
    for step in range(len(SHARES)):
        asks: list[Ask] = []
        for question, order in zip(questions, orders, strict=True):
            left = _left(question, order)
            asks += [(changed(question, [*order, w], kind, subject.fill), question) for w in left]
        after = beliefs(subject, asks) if asks else np.zeros(0)
        first = 0
        for question, order in zip(questions, orders, strict=True):
            left = _left(question, order)
            part = sign * after[first : first + len(left)]
            first += len(left)
            wanted = sizes(len(question.passage.words))[step] - len(order)
            ranked = np.argsort(part, kind="stable")[: max(0, wanted)]
            order += [left[int(i)] for i in ranked]
    return orders


def _left(question: Question, order: Sequence[int]) -> list[int]:
    return [w for w in range(len(question.passage.words)) if w not in set(order)]
