"""Integrated gradients: slopes along the way from the text without its words to the text.

Source: Sundararajan et al. 2017, "Axiomatic Attribution for Deep Networks", section 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from torch import Tensor

from luthier.explain.attribution import Attribution, Floats, Question, by_word
from luthier.explain.subject import Subject


@dataclass
class _Stretch:
    """A part of the way, from `start` to `stop`; the score at its start and how far it rises are
    known exactly."""

    start: float
    stop: float
    score: float
    rise: float
    shares: Floats | None = None

    @property
    def gap(self) -> float:
        """What its shares miss."""
        return 0.0 if self.shares is None else float(self.shares.sum()) - self.rise


@dataclass
class _Way:
    question: Question
    begin: Tensor
    end: Tensor
    rise: float
    stretches: list[_Stretch] = field(default_factory=list)
    passes: float = 2.0

    @property
    def gap(self) -> float:
        """How far the shares are from the whole rise, relative to it."""
        return abs(sum(s.gap for s in self.stretches)) / max(abs(self.rise), 1e-6)


@dataclass(frozen=True)
class IntegratedGradients:
    """Gauss-Legendre quadrature with `nodes` on each stretch of the way.

    The score at the ends of a stretch is known, so what its quadrature misses is too: where that is
    more than `tolerance` of the whole rise, a stretch is halved, at most `halvings` times over.
    Tokens of the format stay as they are; `baseline` takes the place of the words' tokens. The way
    leads through what enters the layer at `depth` of the network: further up it is straighter and
    each step costs less, but tokens have begun to mix. One that cannot be cut is entered at 0.
    """

    nodes: int = 4
    tolerance: float = 0.02
    halvings: int = 3
    baseline: Literal["fill", "pad"] = "fill"
    depth: float = 0.0
    signed: bool = True
    name: str = "integrated gradients"

    def explain(self, subject: Subject, questions: Sequence[Question]) -> list[Attribution]:
        """The shares and the completeness gap of each question."""
        ways = self._ways(subject, questions)
        for round_ in range(self.halvings + 1):
            open_ = [(w, s) for w in ways for s in w.stretches if s.shares is None]
            if not open_:
                break
            self._measure(subject, open_)
            if round_ < self.halvings:
                self._halve(subject, ways)
        return [self._told(way) for way in ways]

    def _ways(self, subject: Subject, questions: Sequence[Question]) -> list[_Way]:
        fill = subject.fill if self.baseline == "fill" else subject.pad
        empty = [q.passage.masked(range(len(q.passage.words)), fill) for q in questions]
        full = [q.passage.ids for q in questions]
        layer = self._layer(subject)
        inputs = subject.entering([*empty, *full], layer)
        count = len(questions)
        ends = subject.at(inputs, [*zip(full, questions, strict=True)] * 2, layer)
        ways = []
        for i, question in enumerate(questions):
            rise = float(ends[count + i] - ends[i])
            way = _Way(question, inputs[i], inputs[count + i], rise)
            way.stretches.append(_Stretch(0.0, 1.0, float(ends[i]), rise))
            ways.append(way)
        return ways

    def _layer(self, subject: Subject) -> int:
        return int(self.depth * subject.layers)

    def _measure(self, subject: Subject, stretches: Sequence[tuple[_Way, _Stretch]]) -> None:
        share = 1 - self._layer(subject) / subject.layers
        points, weights = np.polynomial.legendre.leggauss(self.nodes)
        inputs, asks, owners = [], [], []
        for way, stretch in stretches:
            width = stretch.stop - stretch.start
            step = way.end - way.begin
            stretch.shares = np.zeros(len(step))
            way.passes += 2 * self.nodes * share
            for point, weight in zip(points, weights, strict=True):
                inputs.append(way.begin + (stretch.start + width * (point + 1) / 2) * step)
                asks.append((way.question.passage.ids, way.question))
                owners.append((stretch, step, width * weight / 2))
        for place, slope in subject.slopes(inputs, asks, self._layer(subject)):
            stretch, step, weight = owners[place]
            assert stretch.shares is not None
            stretch.shares += weight * (slope * step).sum(-1).double().cpu().numpy()

    def _halve(self, subject: Subject, ways: Sequence[_Way]) -> None:
        """Halves the stretches that miss too much, of ways that miss too much."""
        poor = [
            (way, stretch)
            for way in ways
            if way.gap > self.tolerance
            for stretch in way.stretches
            if abs(stretch.gap) > self.tolerance * abs(way.rise) / 2
        ]
        if not poor:
            return
        middles = [(s.start + s.stop) / 2 for _, s in poor]
        inputs = [w.begin + m * (w.end - w.begin) for (w, _), m in zip(poor, middles, strict=True)]
        ids = [(w.question.passage.ids, w.question) for w, _ in poor]
        scores = subject.at(inputs, ids, self._layer(subject))
        for (way, stretch), middle, score in zip(poor, middles, scores.tolist(), strict=True):
            first = score - stretch.score
            way.stretches.remove(stretch)
            way.stretches.append(_Stretch(stretch.start, middle, stretch.score, first))
            way.stretches.append(_Stretch(middle, stretch.stop, score, stretch.rise - first))
            way.passes += 1.0

    def _told(self, way: _Way) -> Attribution:
        tokens = np.sum([s.shares for s in way.stretches if s.shares is not None], axis=0)
        words, rest = by_word(tokens, way.question.passage, True)
        return Attribution(self.name, words, True, rest, gap=way.gap, passes=float(way.passes))
