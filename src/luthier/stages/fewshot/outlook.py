"""What a run on few labels says of the next ones: what they would bring, and which to give."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from luthier.core.progress import Progress
from luthier.core.seeds import derive
from luthier.evaluate.predictions import FloatArray, IntArray
from luthier.fewshot.asking.compose import compose
from luthier.fewshot.choosing.choose import Choice
from luthier.fewshot.curve import span
from luthier.fewshot.outlook import Outlook, outlook
from luthier.fewshot.query import UNKNOWN, Standing
from luthier.fewshot.rung import Known
from luthier.fewshot.rungs.family import ladder
from luthier.fewshot.rungs.tuned import TunedStack

AHEAD = 4
"""The curve is shown up to so many times the labels there are."""
STEPS = 25
SECONDS = 10.0
"""What a label is taken to cost a person."""
SHOWN = 10
POOL = 2000
"""Rows of the pool, drawn by lot, among which the next are looked for."""
FLAT = ("zero-shot", "worded", "channel")
"""Rungs that labels do not change."""


def foretold(known: Known, choice: Choice, target: float | None, progress: Progress) -> Any:
    """The learning curve ready for JSON; None where there are too few labels to tell.

    A tuned encoder would have to be tuned again at each size: the blend it replaced stands in.
    """
    name = "stacked" if choice.rung == TunedStack().name else choice.rung
    if name in FLAT:
        return None
    progress.start("few labels: what more of them would bring", None, "")
    found = outlook(known, ladder(names=(name,))[0])
    return None if found is None else _told(found, target)


def _told(found: Outlook, target: float | None) -> dict[str, Any]:
    curve = found.curve
    labels = np.unique(np.geomspace(found.sizes[0], AHEAD * curve.last, STEPS).round())
    expected = [(n, curve.at(n)) for n in labels.tolist()]
    twice = curve.at(2 * curve.last)
    hours = curve.last * SECONDS / 3600
    said = [
        f"Twice the labels, {2 * curve.last:,.0f}, are expected to give {100 * twice.value:.1f} % "
        f"right answers ({100 * twice.low:.1f} to {100 * twice.high:.1f} % in eight of ten cases); "
        f"at {SECONDS:g} seconds a label that is {span(hours)} of work."
    ]
    if target is not None:
        said.append(f"{curve.needed(target).say(round(curve.last), SECONDS)}.")
    return {
        "rung": found.rung,
        "rows": found.rows,
        "labels": round(curve.last),
        "measured": _pairs(found.sizes, found.accuracy),
        "expected": [[n, i.value, i.low, i.high] for n, i in expected],
        "needed": _needed(found, target),
        "said": said,
    }


def _needed(found: Outlook, target: float | None) -> dict[str, Any] | None:
    if target is None:
        return None
    needed = found.curve.needed(target)
    ends = (needed.labels, needed.low, needed.high)
    labels, low, high = (n if math.isfinite(n) else None for n in ends)
    return {"target": target, "labels": labels, "interval": [low, high]}


def _pairs(sizes: FloatArray, values: FloatArray) -> list[list[float]]:
    return [[float(n), float(v)] for n, v in zip(sizes, values, strict=True)]


def wanted(known: Known, choice: Choice, texts: tuple[str, ...]) -> list[dict[str, Any]]:
    """Texts of the pool whose label would teach most, with what is made of them now: the two
    likeliest classes and their chances. None without a pool."""
    places = _some(len(texts), known.seed)
    if not len(places):
        return []
    asked = known.pool.take(places)
    chances = choice.fitted.probabilities(asked)
    nobody = np.full(len(places), UNKNOWN)
    standing = Standing(
        asked.vectors, chances, nobody, nobody == 0, known.seed, before=known.counts
    )
    rows = []
    for question in compose(standing, SHOWN):
        first, second = np.argsort(-chances[question.place], kind="stable")[:2].tolist()
        own = chances[question.place]
        rows.append(
            {
                "text": texts[int(places[question.place])],
                "why": question.quota,
                "likely": [
                    [known.labels[first], float(own[first])],
                    [known.labels[second], float(own[second])],
                ],
            }
        )
    return rows


def _some(count: int, seed: int) -> IntArray:
    random = np.random.default_rng(derive(seed, "pool to ask"))
    return np.sort(random.permutation(count)[:POOL])
