"""What the gate looks at: one model's answers to rows and to probes, the same for every model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from luthier.core.progress import Progress
from luthier.evaluate.interval import Comparison, paired
from luthier.evaluate.predictions import ClassPredictions
from luthier.explain.bias.acceptance import Condition, Limits, Seen, judged
from luthier.explain.bias.probe import Probe
from luthier.explain.bias.probed import Probed, probed
from luthier.explain.bias.terms import Lexicon
from luthier.stages.bias.asked import Rows
from luthier.stages.bias.measuring import AROUND, HELD, SEEN, Place, answered, probes_of
from luthier.stages.bias.reading import Reader

DRAWS = 1000
ONE_SIDED = 0.9
"""Level of an interval each of whose ends is a one-sided bound at 95 %."""


@dataclass(frozen=True)
class Exam:
    """Rows and the probes made of them; `flagged` are the classes by name that count as flagged."""

    rows: Rows
    probes: Mapping[Place, Probe]
    flagged: Mapping[str, tuple[int, ...]]
    metric: str
    seed: int

    @staticmethod
    def of(
        rows: Rows, lexicon: Lexicon, flagged: Mapping[str, tuple[int, ...]], metric: str,
        carriers: int, seed: int,
    ) -> Exam:  # fmt: skip
        """The exam of some rows; words stand around rows, where both kinds of error are known."""
        declared = next(iter(flagged.values())) if len(flagged) == 1 else ()
        probes = probes_of(lexicon, rows, carriers, seed, declared)
        kept = {
            place: probe
            for place, probe in probes.items()
            if place.source == AROUND and place.words in (HELD, SEEN)
        }
        return Exam(rows, kept, flagged, metric, seed)


@dataclass(frozen=True)
class Answered:
    """One model's answers to an exam."""

    predictions: ClassPredictions
    seen: Seen


def answer(exam: Exam, reader: Reader, progress: Progress) -> Answered:
    """What a model says to rows and probes."""
    rows = exam.rows
    progress.start("answering the rows of the gate", len(rows.texts), "rows")
    chances = reader.chances(rows.texts, progress)
    predictions = ClassPredictions(reader.labels, rows.truth, chances, np.arange(len(rows.texts)))
    found = answered(exam.probes, reader, progress)
    parts: dict[str, dict[str, Probed]] = {HELD: {}, SEEN: {}}
    for place, probe in exam.probes.items():
        for name, positive in exam.flagged.items():
            one = probed(probe, found[place], positive, DRAWS, exam.seed)
            parts[place.words][f"{place} of {name}"] = one
    return Answered(predictions, Seen(parts[HELD], parts[SEEN]))


def compared(
    exam: Exam, before: Answered, after: Answered, limits: Limits
) -> tuple[list[Condition], Mapping[str, Comparison]]:
    """The conditions of the gate, and the metrics they stand on."""
    # Rare classes hardly move accuracy, and a repair may cost just them.
    quality: Sequence[str] = tuple(dict.fromkeys((exam.metric, "macro_f1")))
    names = (*quality, "ece")
    # Whether too much was lost is a question with one side: 5 % of it, as fixed beforehand.
    moved = paired(before.predictions, after.predictions, names, DRAWS, exam.seed, ONE_SIDED)
    asked = [moved[name] for name in quality]
    found = judged(before.seen, after.seen, asked, moved["ece"], limits)
    return found, moved
