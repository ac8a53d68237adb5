"""A private step without bound and noise is the plain step; a private run can be stopped."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from luthier.core.types import Task
from luthier.data.feed.poisson import PoissonBatches
from luthier.models.adapters.full import FullParameters
from luthier.models.adapters.lora import LowRank
from luthier.train.fit import fit
from luthier.train.gradients.private import PrivateGradient
from luthier.train.private.chance import Chance
from luthier.train.private.mechanism import Mechanism
from luthier.train.state import Budget
from tiny import Bench, furthest, make_bench, same_bits

ADAPTERS: dict[str, Any] = {"lora": LowRank(4, 8.0), "full": FullParameters()}


def known(step: int) -> bytes:
    """Keys that are no secret, so that a test can repeat itself."""
    return hashlib.sha256(b"test %d" % step).digest()


def poisson(bench: Bench, chance: Chance, **plan: Any) -> PoissonBatches:
    """A third of the rows on average."""
    return PoissonBatches(bench.batches(**plan), bench.all, bench.all, chance.draw)


def private(bench: Bench, chance: Chance, **mechanism: Any) -> PrivateGradient:
    """The rule, uncharged."""
    given: dict[str, Any] = {"noise": 0.0, "divisor": 8.0, "clip": math.inf, "clipping": "flat"}
    return PrivateGradient(Mechanism(**(given | mechanism)), chance.noise, lambda: None)


@pytest.mark.parametrize("name", ADAPTERS)
@pytest.mark.parametrize(
    ("task", "model"),
    [(Task.CLASSIFY, "bert"), (Task.INSTRUCT, "llama"), (Task.PREFER, "llama")],
)
def test_no_bound_and_no_noise_is_the_plain_step(
    name: str, task: Task, model: str, request: pytest.FixtureRequest
) -> None:
    folder: Path = request.getfixturevalue(model)
    ends = []
    for rule in ("plain", "private"):
        chance = Chance(key=known)
        bench = make_bench(folder, task, ADAPTERS[name], chunked=False)
        step, state = bench.begin(kind="sgd", rate=0.002)
        if rule == "private":
            step = step.but(gradient=private(bench, chance))
        reference = bench.reference() if task is Task.PREFER else None
        batches = poisson(bench, chance, reference=reference, micro_rows=3)
        assert len(batches.at(0).micro) > 1
        fit(state, step, batches, Budget(4))
        ends.append(state.snapshot())
        assert state.stopped == ""
    assert furthest(*ends) < 1e-5


def test_cutting_a_batch_differently_changes_nothing(bert: Path) -> None:
    ends = []
    for micro in (8, 2):
        chance = Chance(key=known)
        bench = make_bench(bert, Task.CLASSIFY)
        step, state = bench.begin(kind="sgd", rate=0.05)
        rule = private(bench, chance, clip=0.5, noise=0.7)
        fit(state, step.but(gradient=rule), poisson(bench, chance, micro_rows=micro), Budget(5))
        ends.append(state.snapshot())
    assert furthest(*ends) < 1e-5


def test_stopping_and_going_on_is_equal_to_the_bit(bert: Path, tmp_path: Path) -> None:
    def run(*budgets: int) -> dict[str, torch.Tensor]:
        for number, steps in enumerate(budgets):
            chance = Chance(key=known)
            bench = make_bench(bert, Task.CLASSIFY)
            step, state = bench.begin()
            if number:
                state.load(tmp_path / "state")
            rule = private(bench, chance, clip=1.0, noise=0.7)
            fit(state, step.but(gradient=rule), poisson(bench, chance), Budget(steps))
            state.save(tmp_path / "state")
        return state.snapshot()

    assert same_bits(run(6), run(2, 5, 6))


def test_a_repeated_step_draws_fresh_units_and_fresh_noise(bert: Path) -> None:
    bench = make_bench(bert, Task.CLASSIFY)
    chance = Chance()
    batches = poisson(bench, chance)
    rows, noises = set(), set()
    for _ in range(5):
        rows.add(tuple(sorted(int(r) for m in batches.at(3) for r in m.rows)))
        noises.add(float(chance.noise().standard_normal()))
    assert len(rows) > 1 and len(noises) == 5
    with pytest.raises(RuntimeError, match="no step was drawn"):
        chance.noise()


def test_an_empty_draw_is_an_update_of_noise_alone(bert: Path) -> None:
    bench = make_bench(bert, Task.CLASSIFY)
    chance = Chance(key=known)
    step, state = bench.begin(kind="sgd", rate=1.0, clip_norm=None)
    rule = private(bench, chance, clip=1.0, noise=2.0, divisor=4.0)
    source = bench.batches()

    class Nothing:
        steps_per_epoch = 1

        def at(self, step: int):
            chance.draw(step)
            return type(source.at(0))((), 4.0)

    fit(state, step.but(gradient=rule), Nothing(), Budget(1))
    landed = torch.cat([p.grad.flatten() for p in state.trainable.values()])
    assert float(landed.std()) == pytest.approx(2.0 / 4.0, rel=0.1)


def test_the_share_of_drawn_units_is_the_rate(bert: Path) -> None:
    bench = make_bench(bert, Task.CLASSIFY)
    chance = Chance(key=known)
    source = bench.batches()
    units = bench.all // 2
    batches = PoissonBatches(source, bench.all, units, chance.draw)
    assert batches.rate == 8 / 12
    seen = np.zeros(12)
    for step in range(300):
        rows = [int(r) for m in batches.at(step) for r in m.rows]
        assert len(rows) == len(set(rows))
        drawn = {r // 2 for r in rows}
        assert sorted(rows) == sorted(2 * u + side for u in drawn for side in (0, 1))
        seen[list(drawn)] += 1
    deviation = math.sqrt(300 * batches.rate * (1 - batches.rate))
    assert float(np.abs(seen - 300 * batches.rate).max()) < 4 * deviation


def test_processes_share_the_units_of_one_draw(bert: Path) -> None:
    bench = make_bench(bert, Task.CLASSIFY)
    whole = poisson(bench, Chance(key=known)).at(2)
    halves = []
    for rank in (0, 1):
        chance = Chance(key=known)
        source = bench.batches()
        half = PoissonBatches(source, bench.all, bench.all, chance.draw, (rank, 2))
        halves += [int(r) for m in half.at(2) for r in m.rows]
    assert sorted(halves) == sorted(int(r) for m in whole for r in m.rows)
