"""Labelling replayed on labelled sets: a person who always knows the label, and what a model of
the labels so far achieves on rows nobody asked about."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sets import Set

from luthier.fewshot.asking.compose import batch_size, compose
from luthier.fewshot.asking.learner import Learner
from luthier.fewshot.asking.rounds import Rounds
from luthier.fewshot.query import UNKNOWN, Standing, drawn_by
from luthier.fewshot.rung import Asked

POOL, KEPT = 4000, 2000
"""Most rows of a pool, and most further rows of the same source that judge forecasts."""
SURE = 0.965
"""A replay ends once two rounds in a row reach this share of the whole set's macro-F1."""
AHEAD = (1.5, 2.0, 4.0)
FIRST, LAST, APART = 50, 1500, 1.25
"""Forecasts are made between so many labels (and two a class at least), each time there are
`APART` times as many."""

Choose = Callable[[Standing, int], list[tuple[int, str]]]


def ours(standing: Standing, size: int) -> list[tuple[int, str]]:
    """The mixed strategy, rows drawn by lot counted like all others."""
    return [(q.place, q.quota) for q in compose(standing, size)]


def by_lot(standing: Standing, size: int) -> list[tuple[int, str]]:
    """Every row by lot."""
    drawn = standing.drawn
    return [(int(p), "random") for p in drawn[np.isin(drawn, standing.open)][:size]]


def plain_margin(standing: Standing, size: int) -> list[tuple[int, str]]:
    """The first batch by lot, then always the smallest margins."""
    if not len(standing.labelled):
        return by_lot(standing, size)
    order = standing.open[np.argsort(standing.margin[standing.open], kind="stable")]
    return [(int(p), "margin") for p in order[:size]]


METHODS: dict[str, Choose] = {"ours": ours, "random": by_lot, "margin": plain_margin}


@dataclass(frozen=True)
class Parts:
    """The pool of one draw and the rows beside it."""

    learner: Learner
    truth: np.ndarray
    beside: Asked
    beside_truth: np.ndarray


def parts(found: Set, seed: int) -> Parts:
    """Three quarters of the training rows are the pool, the rest judges forecasts."""
    order = np.random.default_rng(seed).permutation(len(found.train.truth))
    cut = min(POOL, len(order) * 3 // 4)
    inside, beside = order[:cut], order[cut : cut + KEPT]
    learner = Learner(
        found.labels, rows_of(found.described), rows_of(found.train.vectors[inside]),
        rows_of(found.train.vectors[:0]), np.zeros(0, np.int64), seed,
    )  # fmt: skip
    return Parts(
        learner, found.train.truth[inside], rows_of(found.train.vectors[beside]),
        found.train.truth[beside],
    )  # fmt: skip


def rows_of(vectors: np.ndarray) -> Asked:
    """Rows whose words are not needed."""
    return Asked([""] * len(vectors), vectors)


def replay(found: Set, method: str, seed: int, whole: float, most: int) -> dict[str, Any]:
    """The curve [labels, macro-F1, accuracy] on the test part, accuracies beside the pool, and
    for ours the forecasts."""
    given = parts(found, seed)
    truth = np.full(len(given.truth), UNKNOWN)
    lots = drawn_by(seed, len(truth))
    rounds = Rounds(len(found.labels), lots, seed)
    labels = 0
    curve: list[list[float]] = []
    beside: list[list[float]] = []
    forecasts: list[dict[str, Any]] = []
    closed = np.zeros(len(truth), bool)
    tested = rows_of(found.test.vectors)
    while True:
        model = given.learner.fit(truth)
        chances = model.probabilities(given.learner.pool)
        judge = method == "ours" and apart(rounds, labels)
        if judge:
            rounds.add(given.learner.round(truth, lots)[0])
        answers = model.probabilities(tested).argmax(axis=1)
        curve.append([labels, *scores(found.test.truth, answers, len(found.labels))])
        if method == "ours":
            said = model.probabilities(given.beside).argmax(axis=1)
            beside.append([labels, float((said == given.beside_truth).mean())])
            if judge and max(FIRST, 2 * len(found.labels)) <= labels:
                forecasts += forecast(given, truth, labels, rounds)
        left = min(most, len(truth)) - labels
        if left <= 0 or done(curve, whole, len(found.labels)):
            return {"seed": seed, "curve": curve, "beside": beside, "forecasts": forecasts}
        size = min(batch_size(len(found.labels), labels), left)
        vectors = given.learner.pool.vectors
        standing = Standing(vectors, chances, truth, closed, seed, lots=lots)
        asked = METHODS[method](standing, size)
        truth = truth.copy()
        truth[[p for p, _ in asked]] = given.truth[[p for p, _ in asked]]
        labels += len(asked)


def apart(rounds: Rounds, labels: int) -> bool:
    """Whether a point of the learning curve is due."""
    return labels <= LAST and (not rounds.points or labels >= APART * rounds.points[-1].size)


def done(curve: list[list[float]], whole: float, classes: int) -> bool:
    """Whether the target was passed for sure, and enough labels given to judge forecasts."""
    enough = curve[-1][0] >= max(400, 4 * classes)
    return enough and all(point[1] >= SURE * whole for point in curve[-2:])


def forecast(given: Parts, truth: np.ndarray, labels: int, rounds: Rounds) -> list[dict[str, Any]]:
    """80 % intervals of the accuracy at more labels."""
    closed = np.zeros(len(truth), bool)
    curve = rounds.curve(truth, closed, given.learner.started)
    if curve is None:
        return []
    told = []
    for times in AHEAD:
        found = curve.at(times * labels)
        told.append({"at": labels, "times": times, "low": found.low, "high": found.high,
                     "value": found.value})  # fmt: skip
    return told


def scores(truth: np.ndarray, answers: np.ndarray, classes: int) -> tuple[float, float]:
    """Macro-F1 over the classes of the test part, and accuracy."""
    table = np.bincount(truth * classes + answers, minlength=classes**2).reshape(classes, classes)
    both, there = table.sum(0) + table.sum(1), table.sum(1) > 0
    f1 = 2 * np.diag(table) / np.maximum(both, 1)
    return float(f1[there].mean()), float(np.trace(table) / table.sum())


def whole_score(found: Set) -> float:
    """Macro-F1 of the same probe with every training row labelled."""
    nothing = np.zeros(0, np.int64)
    learner = Learner(found.labels, rows_of(found.described), rows_of(found.train.vectors),
                      rows_of(found.train.vectors[:0]), nothing)  # fmt: skip
    answers = learner.fit(found.train.truth).probabilities(rows_of(found.test.vectors))
    return scores(found.test.truth, answers.argmax(axis=1), len(found.labels))[0]
