"""What a report shows of the few-shot ladder: the rungs, their scores, and why one was taken."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic.dataclasses import dataclass

from luthier.evaluate.measure import metric
from luthier.fewshot.asking.compose import WHY
from luthier.fewshot.writing import WAYS
from luthier.stages.page.strict import STRICT, Number

WHAT = {
    "zero-shot": "the class whose name or description lies closest to the text",
    "described probe": "a linear classifier on the encoder's vectors, descriptions among its rows",
    "linear probe": "the same without descriptions",
    "lexical": "words and pieces of words, weighted by how telling they are",
    "average": "the mean of described probe and lexical",
    "scaled": "zero-shot, described probe and lexical on one scale",
    "stacked": "zero-shot, described probe and lexical, weighed by labelled rows held out",
    "self-trained": "stacked, which also learns from texts without labels",
    "worded": "how likely the model finds each class's name after the text",
    "channel": "how likely the model finds the text after each class's name",
    "earlier": "the encoder as an earlier run of the store left it, and stacked on top of it",
    "tuned": "the encoder itself tuned to the rows, and stacked on top of it",
}


@dataclass(frozen=True, config=STRICT)
class RungRow:
    """A rung with its score on rows held out, none where it was not measured, and what came of
    it; `gain` is over the rung held so far, as (value, low, high)."""

    name: str
    what: str
    taken: bool
    said: str
    score: tuple[Number, Number, Number] | None = None
    gain: tuple[Number, Number, Number] | None = None


@dataclass(frozen=True, config=STRICT)
class OutlookPart:
    """The learning curve: `measured` points (labels, share of right answers) and the `expected`
    ones (labels, value, low, high) at 80 %, from `labels` on beyond what there is."""

    labels: Number
    rows: int
    rung: str
    measured: tuple[tuple[Number, Number], ...]
    expected: tuple[tuple[Number, Number, Number, Number], ...]
    sentences: tuple[str, ...]


@dataclass(frozen=True, config=STRICT)
class NextRow:
    """A text to label next, why, and what is made of it now."""

    text: str
    why: str
    guess: str


@dataclass(frozen=True, config=STRICT)
class LadderPart:
    """The ladder's part of a page; `level` is that of the intervals in percent, `untried` why
    rungs were not tried, `pool` the file that the texts to label next came from; `classes` is
    False for a model that writes."""

    title: str
    level: Number
    sentences: tuple[str, ...]
    rungs: tuple[RungRow, ...]
    untried: tuple[str, ...] = ()
    outlook: OutlookPart | None = None
    next: tuple[NextRow, ...] = ()
    pool: str = ""
    classes: bool = True


def ladder_part(told: Mapping[str, Any]) -> LadderPart:
    """What `ladder.json` keeps."""
    if told.get("kind") == "writing":
        return _written(told)
    scores = {s["rung"]: (s["value"], s["low"], s["high"]) for s in told["scores"]}
    decisions = {d["rung"]: d for d in told["decisions"]}
    names = dict.fromkeys([told["rung"], *scores])
    rows = tuple(
        _row(name, told["rung"], scores.get(name), decisions.get(name, {})) for name in names
    )
    return LadderPart(
        title=metric(told["metric"]).title,
        level=round(100 * told["level"], 1),
        sentences=tuple(_sentences(told)),
        rungs=rows,
        untried=tuple(_untried(decisions[n] for n in decisions if n not in names)),
        outlook=_outlook(told["outlook"]) if told["outlook"] else None,
        next=tuple(_next(row) for row in told["next"]),
        pool=told.get("pool_file") or "",
    )


def _written(told: Mapping[str, Any]) -> LadderPart:
    """Ways of models that write."""
    scores = {s["rung"]: (s["value"], s["low"], s["high"]) for s in told["scores"]}
    decisions = {d["rung"]: d for d in told["decisions"]}
    what = {way.name: way.what for way in WAYS}
    said = (
        f"{told['rung']!r} was taken: {what[told['rung']]}. There were {told['rows']} training "
        f"rows; ways were compared on {told['folds']} parts of them, held out in turn."
    )
    return LadderPart(
        title=metric(told["metric"]).title,
        level=round(100 * told["level"], 1),
        sentences=(said,),
        rungs=tuple(
            _row(n, told["rung"], scores[n], decisions.get(n, {}), what[n]) for n in scores
        ),
        untried=tuple(_untried(decisions[n] for n in decisions if n not in scores)),
        classes=False,
    )


def _untried(decisions: Iterable[Mapping[str, Any]]) -> list[str]:
    """One sentence for each reason."""
    by_reason: dict[str, list[str]] = {}
    for found in decisions:
        by_reason.setdefault(found["reason"], []).append(found["rung"])
    return [f"{', '.join(names)}: {why}." for why, names in by_reason.items()]


def _outlook(told: Mapping[str, Any]) -> OutlookPart:
    return OutlookPart(
        labels=told["labels"],
        rows=told["rows"],
        rung=told["rung"],
        measured=tuple((n, v) for n, v in told["measured"]),
        expected=tuple((n, value, low, high) for n, value, low, high in told["expected"]),
        sentences=tuple(told["said"]),
    )


def _next(row: Mapping[str, Any]) -> NextRow:
    (first, chance), (second, other) = row["likely"]
    guess = f"{first} ({100 * chance:.0f} %)"
    if other >= 0.01:
        guess += f", or {second} ({100 * other:.0f} %)"
    return NextRow(row["text"][:600], WHY[row["why"]], guess)


def _row(name: str, taken: str, score: Any, decision: Mapping[str, Any], what: str = "") -> RungRow:
    gain = decision.get("gain")
    ends = (gain["value"], gain["low"], gain["high"]) if gain else None
    said = "taken" if name == taken else decision.get("reason", "held at first")
    if decision and decision["accepted"] and name != taken:
        said = "taken, and later given up"
    return RungRow(name, what or WHAT[name], name == taken, said, score, ends)


def _sentences(told: Mapping[str, Any]) -> list[str]:
    classes = len(told["counts"])
    said = [
        f"The rung {told['rung']!r} was taken: {WHAT[told['rung']]}. There were {told['rows']} "
        f"labelled rows of {classes} classes ({told['per_class']:g} per class in the median) and "
        f"{told['pool']} texts without labels."
    ]
    if past := told.get("earlier"):
        others = ", ".join(name for name in past["tried"] if name != past["run"])
        nearer = f", nearer to these labels than {others}" if others else ""
        said.append(f"Its encoder is the one that run {past['run']} left{nearer}.")
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
            f"{100 * trust['risk']:.0f} % of cases, at a confidence of "
            f"{100 * trust['confidence']:.0f} %; {100 * trust['answered']:.0f} % of the labelled "
            "rows held out are answered so surely."
        )
    return [*said, *(f"{note[0].upper()}{note[1:]}." for note in told["notes"])]
