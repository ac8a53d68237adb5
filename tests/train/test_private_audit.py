"""The audit finds what is wrong with a mechanism, and leaves one in order alone."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from luthier.core.errors import CheckRun
from luthier.core.types import Task
from luthier.data.feed.poisson import PoissonBatches
from luthier.train.fit import fit
from luthier.train.gradients.private import PrivateGradient
from luthier.train.private.audit import ALARM, Canaries, Verdict
from luthier.train.private.chance import Chance
from luthier.train.private.mechanism import Mechanism
from luthier.train.state import Budget
from tiny import make_bench

SIGMA = 0.9


class NoNoise(Mechanism):
    def blur(self, sums: Sequence[Tensor], random: np.random.Generator) -> None:
        pass


class HalfNoise(Mechanism):
    def blur(self, sums: Sequence[Tensor], random: np.random.Generator) -> None:
        Mechanism(self.noise / 2, 1.0, self.clip).blur(sums, random)


class SomeTensors(Mechanism):
    def blur(self, sums: Sequence[Tensor], random: np.random.Generator) -> None:
        super().blur(list(sums)[: len(sums) // 2], random)


class NoBound(Mechanism):
    def factors(self, norms: Tensor) -> Tensor:
        return torch.ones_like(norms)


class FourTimesTheBound(Mechanism):
    def factors(self, norms: Tensor) -> Tensor:
        return 4 * super().factors(norms)


class NoiseOfOnePass(Mechanism):
    """Each of four forward passes should have brought a share of the noise; one did."""

    def blur(self, sums: Sequence[Tensor], random: np.random.Generator) -> None:
        Mechanism(self.noise / math.sqrt(4), 1.0, self.clip).blur(sums, random)


class DrawnDivisor(Mechanism):
    """Divides by the number of units that were drawn."""

    drawn = 8

    def divide(self, sums: Sequence[Tensor]) -> None:
        for total in sums:
            total.div_(max(1, DrawnDivisor.drawn))


class Twice(PrivateGradient):
    """Adds every forward pass twice."""

    def _add(self, *given: Any) -> None:
        super()._add(*given)
        super()._add(*given)


class Counting(PrivateGradient):
    """Tells the faulty divisor what was drawn."""

    def __call__(self, objective: Any, network: Any, batch: Any, /) -> Any:
        DrawnDivisor.drawn = batch.size
        return super().__call__(objective, network, batch)


FAULTS: dict[str, tuple[type[Mechanism], type[PrivateGradient]]] = {
    "no noise": (NoNoise, PrivateGradient),
    "half the noise": (HalfNoise, PrivateGradient),
    "noise on some tensors": (SomeTensors, PrivateGradient),
    "no bound": (NoBound, PrivateGradient),
    "four times the bound": (FourTimesTheBound, PrivateGradient),
    "noise of one pass only": (NoiseOfOnePass, PrivateGradient),
    "every unit twice": (Mechanism, Twice),
    "divided by the drawn number": (DrawnDivisor, Counting),
}


def audited(
    folder: Path,
    mechanism: type[Mechanism] = Mechanism,
    rule: type[PrivateGradient] = PrivateGradient,
    key: Callable[[int], bytes] | None = None,
    steps: int = 20,
    clipping: Any = "automatic",
) -> Verdict:
    """The verdict on a short private run."""
    bench = make_bench(folder, Task.CLASSIFY)
    chance = Chance(key=key) if key else Chance()
    declared = Mechanism(SIGMA, 8.0, 1.0, clipping)
    canaries = Canaries(declared)
    step, state = bench.begin()
    gradient = rule(
        mechanism(SIGMA, 8.0, 1.0, clipping), chance.noise, lambda: None, canaries=canaries
    )
    batches = PoissonBatches(bench.batches(micro_rows=2), bench.all, bench.all, chance.draw)
    fit(state, step.but(gradient=gradient), batches, Budget(steps))
    return canaries.verdict()


@pytest.mark.parametrize("name", FAULTS)
def test_a_broken_mechanism_is_caught(name: str, bert: Path) -> None:
    verdict = audited(bert, *FAULTS[name])
    assert verdict.faults
    with pytest.raises(CheckRun, match="audit of the mechanism"):
        verdict.demand()


@pytest.mark.parametrize("clipping", ["automatic", "flat"])
def test_a_mechanism_in_order_passes(clipping: str, bert: Path) -> None:
    verdict = audited(
        bert, key=lambda step: hashlib.sha256(b"%d" % step).digest(), clipping=clipping
    )
    # The coins of the canaries are secret: this may fail once in ten thousand runs.
    assert verdict.faults == ()
    assert min(t.chance for t in verdict.tests) > ALARM / len(verdict.tests)
    assert verdict.canaries >= 1000
    assert set(verdict.as_dict()) >= {"faults", "steps", "smallest_chance"}


def test_planted_gradients_leave_the_model_alone(bert: Path) -> None:
    def trained(canaries: bool) -> dict[str, Tensor]:
        bench = make_bench(bert, Task.CLASSIFY)
        chance = Chance(key=lambda step: b"%032d" % step)
        mechanism = Mechanism(0.0, 8.0)
        planted = Canaries(Mechanism(1.0, 8.0), wanted=100) if canaries else None
        rule = PrivateGradient(mechanism, chance.noise, lambda: None, canaries=planted)
        step, state = bench.begin()
        batches = PoissonBatches(bench.batches(), bench.all, bench.all, chance.draw)
        fit(state, step.but(gradient=rule), batches, Budget(4))
        return state.snapshot()

    one, two = trained(True), trained(False)
    assert all(torch.equal(one[name], two[name]) for name in one)


@pytest.mark.slow
def test_false_alarms_are_as_rare_as_stated() -> None:
    """A thousand runs of a mechanism in order, without a network around it."""
    alarms = 0
    for number in range(1000):
        random = np.random.default_rng(number)
        mechanism = Mechanism(SIGMA, 64.0)
        canaries = Canaries(mechanism)
        spare = canaries.place(20)
        for _ in range(10):
            sums = [torch.zeros(3 + spare) for _ in range(20)]
            canaries.draw(2)
            for part in (0, 1):
                canaries.plant(part, mechanism, sums)
            mechanism.blur(sums, random)
            mechanism.divide(sums)
            canaries.observe(sums)
        alarms += bool(canaries.verdict().faults)
    # One run in ten thousand; three in a thousand would happen once in five thousand times.
    assert alarms <= 2


def test_nothing_observed_is_no_verdict() -> None:
    with pytest.raises(RuntimeError, match="nothing was observed"):
        Canaries(Mechanism(1.0, 8.0)).verdict()
