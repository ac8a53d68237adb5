"""Which method is shown for a model, and what was measured to choose it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from luthier.core.progress import Progress, Silence
from luthier.core.types import Interval
from luthier.explain.attribution import Attributor, Question
from luthier.explain.attributions.attention import AttentionRollout, RawAttention
from luthier.explain.gate.faith import Faith, Measured, measure
from luthier.explain.gate.sanity import agreement, likeness
from luthier.explain.subject import Subject

ALIKE = 0.3
"""More agreement than this with a model of shuffled weights, and a method does not read it."""
VERSION = 1


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
    """The cheapest method within one standard error of the best that passes; where none passes,
    the best of those that failed.

    Attention is measured but never chosen.
    """
    listener = progress or Silence()
    listener.start("measuring explanations", None, "steps")
    found = measure(subject, questions, methods, seed, listener)
    alike = likeness(subject, questions, found.told, methods, seed)
    return decide(found, methods, alike, seed)


def decide(
    found: Measured, methods: Mapping[str, Attributor], alike: Mapping[str, float], seed: int
) -> Verdict:
    """The verdict on what was measured."""
    faith = {name: found.faith(name, seed) for name in methods}
    failed = {name: _failed(faith[name], alike[name]) for name in methods}
    shown = (AttentionRollout, RawAttention)
    fit = [n for n in methods if not isinstance(methods[n], shown)]
    passing = [n for n in fit if not failed[n]]
    best = max(passing or fit, key=lambda n: faith[n].overall.value)
    chosen = best
    if passing:
        floor = faith[best].overall.value - faith[best].error
        near = [n for n in passing if faith[n].overall.value >= floor]
        chosen = min(near, key=lambda n: faith[n].passes)
    agreed = {n: agreement(found.told[n], found.told[chosen]) for n in methods}
    return Verdict(
        chosen, bool(passing), len(found.questions), faith, dict(alike), agreed,
        {n: why for n, why in failed.items() if why},
    )  # fmt: skip


def _failed(faith: Faith, alike: float) -> tuple[str, ...]:
    reasons = []
    if faith.overall.low <= 0:
        reasons.append("no better than random")
    if alike > ALIKE:
        reasons.append("much the same for a model with shuffled weights")
    return tuple(reasons)
