"""Up the ladder: a rung gives way to another only on evidence, and all of it is written down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from luthier.core.errors import FixData
from luthier.core.progress import Progress
from luthier.evaluate.predictions import FloatArray, IntArray
from luthier.fewshot.choosing.evidence import CREDIT_WINS, CREDITED, LEVEL, Bench, Credit, Gain
from luthier.fewshot.choosing.sureness import (
    RISK,
    Abstention,
    abstention_of,
    shift_of,
    temperature_of,
)
from luthier.fewshot.folds import Costly, Cut, cut_of, held_out
from luthier.fewshot.forms.blend import Adjusted, adjusted
from luthier.fewshot.rung import Fitted, Known, Rung
from luthier.fewshot.rungs.blends import learnable

EVIDENCE_FROM, EVIDENCE_ROWS = 8.0, 150
"""Rows per class, in the median, or rows in all, below which cross-validation can't tell rungs
apart; the latter where there are enough of each class to learn powers from."""
REPEATS = ((150, 4), (400, 2))
"""Fewer rows than the first number are cut anew so many times."""
COSTLY = 5000
"""Rows times classes above which one cut has to do: a fit takes a second then."""


@dataclass(frozen=True)
class Score:
    """What a rung reached on held-out rows, with its interval."""

    rung: str
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Decision:
    """One rung tried against the one held so far, and what came of it."""

    rung: str
    against: str
    accepted: bool
    reason: str
    gain: Gain | None = None


@dataclass(frozen=True, eq=False)
class Choice:
    """The rung that was taken, the classifier it made, and why."""

    rung: str
    fitted: Fitted
    metric: str
    rows: int
    per_class: float
    scores: tuple[Score, ...]
    decisions: tuple[Decision, ...]
    temperature: float
    abstention: Abstention | None
    checked: tuple[IntArray, FloatArray] | None = None
    """Rows that were held out (M,), and what the rung said about them (M, C) without them."""
    notes: tuple[str, ...] = ()
    level: float = LEVEL
    counts: dict[str, int] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Everything but the classifier, ready for JSON."""
        told = {n: v for n, v in self.__dict__.items() if n not in ("fitted", "checked")}
        return told | {
            "scores": [asdict(score) for score in self.scores],
            "decisions": [asdict(decision) for decision in self.decisions],
            "abstention": asdict(self.abstention) if self.abstention else None,
            "notes": list(self.notes),
        }


def choose(
    known: Known, rungs: Sequence[Rung], metric: str, progress: Progress, risk: float = RISK
) -> Choice:
    """The rung to be used for what is known, fitted to all of it.

    Without evidence it is the one of `FIRST` for so many rows; from eight rows per class on, any
    other has to be better by half a standard error, without losing a class, and so surely that in
    nine of ten cases none of those tried wins by luck. `risk` is what answers above the score that
    may be trusted may be wrong.

    Raises: FixData when no rung can be tried.
    """
    ladder = sorted(rungs, key=lambda rung: rung.order)
    refused = {rung.name: why for rung in ladder if (why := rung.refusal(known))}
    usable = [rung for rung in ladder if rung.name not in refused]
    if not usable:
        name, why = next(iter(refused.items()))
        raise FixData("fewshot.rungs", f"none can be tried; {name}: {why}", advice="allow others")
    held = first(known, usable)
    decisions = [Decision(name, held.name, False, why) for name, why in refused.items()]
    scores: list[Score] = []
    cuts = _cuts(known)
    for rungs_alike in _by_cost(usable, held):
        if not cuts:
            break
        # A costly rung is tried on fewer folds, and so is the one it has to beat.
        own = [costly.cut(known)] if (costly := _costly(rungs_alike)) else cuts
        bench = Bench(own, metric, known.seed)
        before, held = held, _walk(known, bench, held, rungs_alike, decisions, progress)
        scores += [Score(r.name, *bench.score(r)) for r in rungs_alike if bench.tried(r)]
        cuts = own if held is not before else cuts
    progress.start(f"few labels: {held.name} on all rows", None, "")
    return _settled(known, held, Record(cuts, metric, risk, scores, decisions))


def _by_cost(usable: Sequence[Rung], held: Rung) -> list[list[Rung]]:
    """Rungs that are tried on the same folds; the one held so far belongs to the first."""
    costly: list[Rung] = [rung for rung in usable if isinstance(rung, Costly)]
    cheap = [rung for rung in usable if rung not in costly]
    return [cheap or [held], *([rung] for rung in costly if rung.name != held.name)]


def _costly(rungs: Sequence[Rung]) -> Costly | None:
    return next((rung for rung in rungs if isinstance(rung, Costly)), None)


def first(known: Known, usable: Sequence[Rung]) -> Rung:
    """The rung that is taken without evidence: the one that measured best with so few labels.

    That is zero-shot without labels, by words where the base writes, and the stacked blend with
    any.
    """
    bare = "zero-shot" if known.blank is None else "worded"
    wanted = "stacked" if len(known.rows) else bare
    found = [rung for rung in usable if rung.name == wanted]
    return found[0] if found else usable[0]


def telling(known: Known) -> bool:
    """Whether people labelled rows enough for cross-validation to tell rungs apart."""
    known = known.only(known.judged)
    enough = len(known.rows) >= EVIDENCE_ROWS and learnable(known)
    return known.per_class >= EVIDENCE_FROM or enough


def _walk(
    known: Known, bench: Bench, held: Rung, usable: Sequence[Rung], decisions: list[Decision],
    progress: Progress,
) -> Rung:  # fmt: skip
    bench.score(held)
    tried = [rung for rung in usable if rung.name != held.name]
    for rung in tried:
        if not telling(known):
            few = f"with {known.per_class:g} rows per class a difference would be chance"
            decisions.append(Decision(rung.name, held.name, False, few))
            continue
        progress.start(f"few labels: {rung.name}", None, "")
        gain, losers = bench.gain(rung, held), bench.losers(rung, held)
        credit = _credit(rung, bench.metric.name, known.per_class)
        proven = gain.proven(len(tried))
        reason = "better" if proven else "no proof that it is better"
        if credit is not None and not proven:
            credit = credit.over(_credit(held, bench.metric.name, known.per_class))
            left = 1 - bench.score(held)[0]
            proven, reason = _credited(gain, credit, int(bench.counts.sum()), left)
        if proven and losers:
            place, fall = max(losers, key=lambda found: found[1])
            reason = f"class {known.labels[place]!r} would lose {100 * fall:.1f} points of recall"
        accepted = proven and not losers
        decisions.append(Decision(rung.name, held.name, accepted, reason, gain))
        held = rung if accepted else held
    return held


def _credit(rung: Rung, metric: str, per_class: float) -> Credit | None:
    """What other tasks say for a rung, where they were judged as these rows are and had as many."""
    credit: Credit | None = getattr(rung, "credit", None)
    given = credit is not None and metric in CREDITED and per_class >= credit.per_class
    return credit if given else None


def _credited(gain: Gain, credit: Credit, rows: int, left: float) -> tuple[bool, str]:
    """Whether a rung is better by these rows and by what other tasks showed, and in what words."""
    whole = gain.believed(credit, rows, left)
    said = (
        f"with {100 * credit.mean:+.1f} points that it brought on other tasks, "
        f"{100 * whole.chance:.0f} % likely to be better"
    )
    return whole.chance >= CREDIT_WINS, said


@dataclass(frozen=True)
class Record:
    """What the walk up the ladder leaves for the end: cuts, and all that is to be told."""

    cuts: Sequence[Cut]
    metric: str
    risk: float
    scores: Sequence[Score]
    decisions: Sequence[Decision]


def _settled(known: Known, held: Rung, record: Record) -> Choice:
    """The rung fitted to all rows, its chances adjusted by what the held-out rows showed."""
    temperature, abstention, checked = 1.0, None, None
    shift = shift_of(known.counts, known.prior)
    cuts = record.cuts
    if cuts:
        rows = np.unique(cuts[0].held)
        chances = _together([held_out(held, cut) for cut in cuts], cuts)
        truth = known.truth[rows]
        temperature = temperature_of(chances, truth) if learnable(known) else 1.0
        checked = (rows, adjusted(chances, temperature, shift))
        abstention = abstention_of(adjusted(chances, temperature, shift), truth, record.risk)
    return Choice(
        rung=held.name,
        fitted=Adjusted(known.made(held), temperature, shift),
        metric=record.metric,
        rows=len(known.rows),
        per_class=known.per_class,
        scores=tuple(record.scores),
        decisions=tuple(record.decisions),
        temperature=temperature,
        abstention=abstention,
        checked=checked,
        counts=dict(zip(known.labels, known.counts.tolist(), strict=True)),
    )


def _together(found: Sequence[FloatArray], cuts: Sequence[Cut]) -> FloatArray:
    """The mean chances of each held-out row over the cuts, in the order of the rows."""
    sorted_rows = [chances[np.argsort(cut.held)] for chances, cut in zip(found, cuts, strict=True)]
    return np.asarray(np.mean(sorted_rows, axis=0))


def _cuts(known: Known) -> list[Cut]:
    """The same rows cut in several ways; none where there is nothing to hold out."""
    judged = len(known.judged)
    if judged < 2 * len(known.labels) and judged < 4:
        return []
    times = next((n for least, n in REPEATS if judged < least), 1)
    if not telling(known) or len(known.rows) * len(known.labels) > COSTLY:
        times = 1
    cuts = [cut_of(known, place) for place in range(times)]
    return cuts if all(len(cut.folds) for cut in cuts) else []
