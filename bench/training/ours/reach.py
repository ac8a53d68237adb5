"""Probe, kept prefix and top layers: test accuracy against seconds, evaluation not counted."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import torch
from gate import Gate, cpu_seconds
from ours.setting import beginning, workshop

from luthier.core.progress import Silence
from luthier.data.feed.batches import EpochBatches
from luthier.evaluate.baseline import LinearProbe
from luthier.models.adapter import lowest_trained
from luthier.stages.parts.answers import Exam, features, score_all, truth_of
from luthier.stages.parts.prefix import keep_prefix
from luthier.stages.workshop import Workshop
from luthier.train.fit import fit
from luthier.train.state import Budget


class Watch:
    """A stop-watch of both clocks that can be paused."""

    def __init__(self) -> None:
        self.wall = self.cpu = 0.0
        self.go()

    def go(self) -> None:
        """Runs on."""
        self._from = time.perf_counter(), cpu_seconds()

    def pause(self) -> None:
        """Stands still."""
        self.wall += time.perf_counter() - self._from[0]
        self.cpu += cpu_seconds() - self._from[1]


def main() -> None:
    """Answers the curve."""
    gate = Gate()
    shop = workshop(gate.given)
    learn = shop.part(shop.prepared.splits.train)
    check = shop.part(shop.prepared.splits.validation)
    below = lowest_trained(shop.adapter, shop.network.stack)
    shop.network.cut_below(below)
    watch = Watch()
    # The test rows' own prefix belongs to evaluation, which is counted for nobody.
    known = Exam(shop.encoded, learn, shop.prepared.table, shop.batch_plan())
    hidden = keep_prefix(shop.network, known, below, shop.folder / "prefix", Silence())
    known = Exam(shop.encoded, learn, shop.prepared.table, shop.batch_plan(), hidden)
    _probe(shop, known)
    watch.pause()
    exam = shop.exam(shop.encoded, check)
    curve = [_point(shop, exam, watch, 0)]
    watch.go()
    step, state = beginning(shop)
    batches = EpochBatches(shop.encoded, learn, shop.batch_plan(), hidden)
    every = max(1, shop.timing.steps // 12)
    while state.step < shop.timing.steps:
        fit(state, step, batches, Budget(min(shop.timing.steps, state.step + every)))
        watch.pause()
        curve.append(_point(shop, exam, watch, state.step))
        watch.go()
    gate.tell(curve=curve)


def _probe(shop: Workshop, known: Exam) -> None:
    vectors, truth = features(shop.network, known), truth_of(known)
    # A tenth of the training rows chooses the probe's strength; the test rows stay unseen.
    held = np.arange(len(truth)) % 10 == 0
    probe = LinearProbe.fit(
        shop.head.labels.names, (vectors[~held], truth[~held]), (vectors[held], truth[held])
    )
    weight, bias = probe.linear()
    output: Any = shop.network.output
    with torch.no_grad():
        output.weight.copy_(torch.from_numpy(weight))
        output.bias.copy_(torch.from_numpy(bias))


def _point(shop: Workshop, exam: Exam, watch: Watch, step: int) -> dict[str, float]:
    scores = np.stack(score_all(shop.network, shop.head, exam))
    right = float((scores.argmax(1) == truth_of(exam)).mean())
    return {"step": step, "wall": watch.wall, "cpu": watch.cpu, "accuracy": right}


if __name__ == "__main__":
    main()
