"""Which method is shown for a model, and what was measured to choose it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from luthier.core.progress import Progress, Silence
from luthier.core.seeds import derive
from luthier.core.types import Interval
from luthier.explain.attribution import Attributor, Question
from luthier.explain.attributions.attention import AttentionRollout, RawAttention
from luthier.explain.gate.curves import kinds
from luthier.explain.gate.faith import Faith, Measured, measure, resamples
from luthier.explain.gate.sanity import agreement, likeness
from luthier.explain.subject import Subject

ALIKE = 0.3
"""More agreement than this with a model of shuffled weights, and a method does not read it."""
VERSION = 4
"""Of what is kept: 4 since a cheap method that is nearly as faithful as the best is chosen."""
SHOWN = (AttentionRollout, RawAttention)
"""Pictures of the model, never its explanation."""
BLOCK = 8
"""Texts after which it is asked whether the choice is settled."""
ENOUGH, SURE = 0.95, 0.9
"""The chosen method reaches so much of the best one's faithfulness, in so many resamples."""


@dataclass(frozen=True)
class Verdict:
    """The method by name, what each achieved, and why some failed.

    `alike` is each method's agreement with the shuffled model, `with_best` with the chosen method.
    """

    chosen: str
    passed: bool
    texts: int
    faith: Mapping[str, Faith]
    alike: Mapping[str, float]
    with_best: Mapping[str, float]
    failed: Mapping[str, tuple[str, ...]]

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready numbers."""
        failed = {name: list(reasons) for name, reasons in self.failed.items()}
        return {"version": VERSION, **asdict(self), "failed": failed}

    @staticmethod
    def from_dict(kept: Mapping[str, Any]) -> Verdict:
        """What `as_dict` gave."""
        faith = {
            name: Faith(
                told["method"], Interval(**told["overall"]), told["error"],
                {k: Interval(**v) for k, v in told["each"].items()}, told["passes"], told["gap"],
            )
            for name, told in kept["faith"].items()
        }  # fmt: skip
        failed = {name: tuple(reasons) for name, reasons in kept["failed"].items()}
        return Verdict(
            kept["chosen"], kept["passed"], kept["texts"], faith, kept["alike"],
            kept["with_best"], failed,
        )  # fmt: skip

    def best_of(self, names: Iterable[str]) -> str | None:
        """The one that would have been chosen among these; None where none of them passed."""
        passing = [name for name in names if name in self.faith and name not in self.failed]
        return _cheapest(self.faith, passing) if passing else None

    def warning(self, method: str) -> str:
        """What has to be said wherever this method's scores are shown; "" when it passed."""
        if method not in self.faith:
            return "This method was not measured on this model."
        if "no better than random" in self.failed.get(method, ()):
            return "On this model these scores are no better than random ones."
        if self.failed.get(method):
            return f"This method failed on this model: {', '.join(self.failed[method])}."
        return ""


def judge(
    subject: Subject,
    questions: Sequence[Question],
    methods: Mapping[str, Attributor],
    seed: int = 0,
    progress: Progress | None = None,
) -> Verdict:
    """The cheapest method that passes and reaches `ENOUGH` of the best one's faithfulness; where
    none passes, the best of those that failed.

    Texts are measured in blocks until the choice is settled or none is left; the model is
    shuffled for the first block only. Attention is measured but never chosen.
    """
    listener = progress or Silence()
    found: Measured | None = None
    alike: dict[str, float] = {}
    for start in range(0, len(questions), BLOCK):
        block = questions[start : start + BLOCK]
        listener.start(
            f"measuring explanations on texts {start + 1} to {start + len(block)}",
            len(kinds(subject)) + len(methods), "steps",
        )  # fmt: skip
        part = measure(subject, block, methods, derive(seed, "block", start), listener)
        if found is None:
            alike = likeness(subject, block, part.told, methods, seed)
        found = part if found is None else found.joined(part)
        verdict = decide(found, methods, alike, seed)
        if settled(found, verdict, methods, seed):
            break
    return verdict


def settled(
    found: Measured, verdict: Verdict, methods: Mapping[str, Attributor], seed: int
) -> bool:
    """Whether more texts could hardly lead to a choice that is much more faithful."""
    if not verdict.passed:
        return False
    weights = resamples(len(found.before), seed)
    rivals = [n for n, one in methods.items() if not isinstance(one, SHOWN)]
    best = np.max([found.overall(n, weights) for n in rivals if n not in verdict.failed], axis=0)
    room = found.overall(verdict.chosen, weights) - ENOUGH * best
    return bool(np.quantile(room, 1 - SURE) >= 0)


def decide(
    found: Measured, methods: Mapping[str, Attributor], alike: Mapping[str, float], seed: int
) -> Verdict:
    """The verdict on what was measured."""
    faith = {name: found.faith(name, seed) for name in methods}
    failed = {name: _failed(faith[name], alike[name]) for name in methods}
    fit = [n for n in methods if not isinstance(methods[n], SHOWN)]
    passing = [n for n in fit if not failed[n]]
    chosen = _cheapest(faith, passing) if passing else _best(faith, fit)
    agreed = {n: agreement(found.told[n], found.told[chosen]) for n in methods}
    return Verdict(
        chosen, bool(passing), len(found.questions), faith, dict(alike), agreed,
        {n: why for n, why in failed.items() if why},
    )  # fmt: skip


def _best(faith: Mapping[str, Faith], names: Iterable[str]) -> str:
    return max(names, key=lambda n: faith[n].overall.value)


def _cheapest(faith: Mapping[str, Faith], names: Sequence[str]) -> str:
    """The cheapest that reaches `ENOUGH` of the best."""
    least = ENOUGH * max(faith[n].overall.value for n in names)
    near = [n for n in names if faith[n].overall.value >= least]
    return min(near, key=lambda n: faith[n].passes)


def _failed(faith: Faith, alike: float) -> tuple[str, ...]:
    reasons = []
    if faith.overall.low <= 0:
        reasons.append("no better than random")
    if alike > ALIKE:
        reasons.append("much the same for a model with shuffled weights")
    return tuple(reasons)
