"""What a report shows of the few-shot ladder: the rungs, their scores, and why one was taken."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic.dataclasses import dataclass

from luthier.evaluate.measure import metric
from luthier.stages.page.strict import STRICT, Number


@dataclass(frozen=True, config=STRICT)
class RungRow:
    """A rung with its score on rows held out, none where it was not measured, and what came of
    it; `gain` is over the rung held so far, as (value, low, high)."""

    name: str
    taken: bool
    said: str
    score: tuple[Number, Number, Number] | None = None
    gain: tuple[Number, Number, Number] | None = None


@dataclass(frozen=True, config=STRICT)
class LadderPart:
    """The ladder's part of a page; `level` is that of the intervals in percent."""

    title: str
    level: Number
    sentences: tuple[str, ...]
    rungs: tuple[RungRow, ...]


def ladder_part(told: Mapping[str, Any]) -> LadderPart:
    """What `ladder.json` keeps."""
    scores = {s["rung"]: (s["value"], s["low"], s["high"]) for s in told["scores"]}
    decisions = {d["rung"]: d for d in told["decisions"]}
    names = dict.fromkeys([told["rung"], *scores, *decisions])
    rows = tuple(
        _row(name, told["rung"], scores.get(name), decisions.get(name, {})) for name in names
    )
    title = metric(told["metric"]).title
    return LadderPart(title, round(100 * told["level"], 1), tuple(_sentences(told)), rows)


def _row(name: str, taken: str, score: Any, decision: Mapping[str, Any]) -> RungRow:
    gain = decision.get("gain")
    ends = (gain["value"], gain["low"], gain["high"]) if gain else None
    said = "taken" if name == taken else decision.get("reason", "held at first")
    if decision and decision["accepted"] and name != taken:
        said = "taken, and later given up"
    return RungRow(name, name == taken, said, score, ends)


def _sentences(told: Mapping[str, Any]) -> list[str]:
    classes = len(told["counts"])
    said = [
        f"The rung {told['rung']!r} was taken for {told['rows']} labelled rows of {classes} "
        f"classes ({told['per_class']:g} per class in the median) and {told['pool']} texts "
        "without labels."
    ]
    bare = [name for name, count in told["counts"].items() if not count]
    if bare and told["rows"]:
        shown = ", ".join(bare[:8]) + (f" and {len(bare) - 8} more" if len(bare) > 8 else "")
        said.append(f"These classes have no labelled row, only their description: {shown}.")
    if told["temperature"] != 1.0:
        said.append(f"Its scores were calibrated at a temperature of {told['temperature']:.2f}.")
    trust = told["abstention"]
    if trust is None:
        said.append(
            "No promise is made about answers that may be trusted: that takes 100 labelled rows, "
            "and a score above which few enough are wrong."
        )
    else:
        said.append(
            f"Answers with a score of at least {trust['score']:.3f} are wrong in at most "
            f"{trust['risk']:.0%} of cases, at a confidence of {trust['confidence']:.0%}; "
            f"{trust['answered']:.0%} of the labelled rows held out are answered so surely."
        )
    return [*said, *(f"{note[0].upper()}{note[1:]}." for note in told["notes"])]
