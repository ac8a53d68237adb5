"""How faithful each method is on one model, between chance and the best that was found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from luthier.core.progress import Progress, Silence
from luthier.core.seeds import derive
from luthier.core.types import Interval
from luthier.explain.attribution import Attribution, Attributor, Floats, Question
from luthier.explain.gate.curves import Bounds, Kind, beliefs, bounds, drops, kinds
from luthier.explain.subject import Subject

DRAWS = 1000


@dataclass(frozen=True)
class Faith:
    """What one method achieves: 0 is chance, 1 the best order that was found.

    `each` holds normalised comprehensiveness and sufficiency by what was done to the words;
    `overall` is their mean and `error` its standard error. `gap` is the median completeness gap.
    """

    method: str
    overall: Interval
    error: float
    each: Mapping[str, Interval]
    passes: float
    gap: float | None = None


@dataclass
class Measured:
    """Raw losses of belief, so that methods can be compared on the same texts.

    `bounds` and each of `losses` hold one number per text.
    """

    questions: Sequence[Question]
    before: Floats
    bounds: dict[Kind, Bounds]
    losses: dict[str, dict[Kind, Floats]] = field(default_factory=dict)
    told: dict[str, Sequence[Attribution]] = field(default_factory=dict)

    def add(self, subject: Subject, name: str, told: Sequence[Attribution]) -> None:
        """Measures what `told` says of the texts."""
        orders = [towards(one) for one in told]
        self.told[name] = told
        self.losses[name] = {
            kind: drops(subject, self.questions, orders, kind, self.before) for kind in self.bounds
        }

    def joined(self, other: Measured) -> Measured:
        """These texts and those of `other`, on which the same methods were measured."""

        def both(one: Bounds, more: Bounds) -> Bounds:
            return Bounds(
                np.concatenate([one.chance, more.chance]), np.concatenate([one.best, more.best])
            )

        return Measured(
            [*self.questions, *other.questions],
            np.concatenate([self.before, other.before]),
            {kind: both(bound, other.bounds[kind]) for kind, bound in self.bounds.items()},
            {
                name: {k: np.concatenate([v, other.losses[name][k]]) for k, v in lost.items()}
                for name, lost in self.losses.items()
            },
            {name: [*told, *other.told[name]] for name, told in self.told.items()},
        )

    def normalised(self, name: str, weights: Floats | None = None) -> dict[Kind, Floats]:
        """Where the method stands between chance and best, for each resample of `weights` (R, N).

        A bound is the best that any method found, where that is better than the search.
        """
        rows = np.ones((1, len(self.before))) if weights is None else weights
        found = {}
        for kind, both in self.bounds.items():
            sign = 1.0 if kind[0] == "comprehensiveness" else -1.0
            every = np.stack(
                [sign * both.best, *(sign * lost[kind] for lost in self.losses.values())]
            )
            room = rows @ (every.max(0) - sign * both.chance)
            gain = rows @ (sign * self.losses[name][kind] - sign * both.chance)
            found[kind] = np.divide(gain, room, out=np.zeros_like(gain), where=room > 1e-9)
        return found

    def overall(self, name: str, weights: Floats | None = None) -> Floats:
        """The mean over what is measured, for each resample."""
        return np.asarray(np.mean(list(self.normalised(name, weights).values()), axis=0))

    def faith(self, name: str, seed: int = 0) -> Faith:
        """The method's standing, with percentile intervals over resampled texts."""
        weights = resamples(len(self.before), seed)
        each = self.normalised(name)
        drawn = self.normalised(name, weights)
        whole = np.mean(list(drawn.values()), axis=0)
        told = self.told[name]
        gaps = [one.gap for one in told if one.gap is not None]
        return Faith(
            name,
            _interval(float(np.mean([v[0] for v in each.values()])), whole),
            float(whole.std()),
            {" by ".join(k): _interval(float(v[0]), drawn[k]) for k, v in each.items()},
            float(np.mean([one.passes for one in told])),
            float(np.median(gaps)) if gaps else None,
        )


def measure(
    subject: Subject,
    questions: Sequence[Question],
    methods: Mapping[str, Attributor],
    seed: int = 0,
    progress: Progress | None = None,
) -> Measured:
    """Every method on the same texts."""
    listener = progress or Silence()
    before = beliefs(subject, [(q.passage.ids, q) for q in questions])
    found = Measured(questions, before, {})
    for kind in kinds(subject):
        drawn = derive(seed, "gate", *kind)
        found.bounds[kind] = bounds(subject, questions, kind, before, drawn)
        listener.advance(1)
    for name, method in methods.items():
        found.add(subject, name, method.explain(subject, questions))
        listener.advance(1)
    return found


def towards(told: Attribution) -> list[int]:
    """Words in the order in which they speak for the answer."""
    return [int(i) for i in np.argsort(-told.scores, kind="stable")]


def resamples(count: int, seed: int) -> Floats:
    """How often each text is drawn (R, N)."""
    dice = np.random.default_rng(derive(seed, "resampled texts"))
    return dice.multinomial(count, np.full(count, 1 / count), DRAWS).astype(np.float64)


def _interval(value: float, drawn: Floats) -> Interval:
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Interval(value, min(float(low), value), max(float(high), value))
