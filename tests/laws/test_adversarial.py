"""An adversary of radius 0 is the plain step; every example's loss is its own under any other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from luthier.core.types import Task
from luthier.safety.objectives.build import wrapped
from luthier.safety.objectives.substitute import Substitute
from luthier.train.fit import fit
from luthier.train.state import Budget
from luthier.train.step import Objective
from tiny import Bench, furthest, make_bench

KINDS = ("virtual", "freelb", "pgd", "layer", "latent")
Wrap = Callable[[Bench, float], Objective]


def _ball(kind: str, bench: Bench, radius: float) -> Objective:
    return wrapped(kind, bench.head.losses, radius, 2, 1.0, 0, 3)  # type: ignore[arg-type]


def _words(bench: Bench, share: float) -> Objective:
    # The tiny vocabulary has no whole words, so every token but the special ones gets neighbours.
    rows = len(bench.network.backbone.get_input_embeddings().weight)
    near = torch.stack([torch.arange(rows), (torch.arange(rows) + 7).clamp(max=rows - 1)], 1)
    near[:5] = torch.arange(5)[:, None]
    inside = torch.zeros(rows, dtype=torch.bool)
    return Substitute(bench.head.losses, near, inside, share, weight=1e9)


def _make(name: str, bench: Bench, radius: float) -> Objective:
    return _words(bench, radius) if name == "words" else _ball(name, bench, radius)


@pytest.mark.parametrize("name", [*KINDS, "words"])
def test_radius_nought_is_the_plain_step(name: str, bert: Path) -> None:
    ends = []
    for hard in (False, True):
        bench = make_bench(bert, Task.CLASSIFY)
        step, state = bench.begin(kind="sgd", rate=0.05)
        if hard:
            step = step.but(objective=_make(name, bench, 0.0))
        ends.append(fit(state, step, bench.batches(), Budget(4)).snapshot())
    assert furthest(*ends) < 1e-6


@pytest.mark.parametrize("name", [*KINDS, "words"])
def test_an_example_counts_the_same_in_any_company(name: str, bert: Path) -> None:
    bench = make_bench(bert, Task.CLASSIFY)
    bench.network.mode(False, False)
    objective = _make(name, bench, 0.3)
    torch.manual_seed(3)
    together = objective(bench.network, bench.batches().collate(bench.all[:5])).per_example
    alone = [
        objective(bench.network, bench.batches().collate(bench.all[i : i + 1])).per_example
        for i in range(5)
    ]
    torch.testing.assert_close(together, torch.cat(alone), atol=2e-4, rtol=2e-4)


@pytest.mark.parametrize("name", ["freelb", "pgd", "layer", "latent", "words"])
def test_a_disturbance_hurts(name: str, bert: Path) -> None:
    bench = make_bench(bert, Task.CLASSIFY)
    bench.network.mode(False, False)
    batch = bench.batches().collate(bench.all)
    torch.manual_seed(0)
    hard = _make(name, bench, 0.3)(bench.network, batch).total.detach()
    assert float(hard) > float(bench.head.losses(bench.network, batch).total.detach())


def test_the_disturbance_keeps_within_its_radius(bert: Path) -> None:
    from luthier.safety.objectives.ascent import Disturbance, ascend, entered, lengths_of

    bench = make_bench(bert, Task.CLASSIFY)
    batch = bench.batches().collate(bench.all)
    shift = ascend(bench.head.losses, bench.network, batch, Disturbance(0.2, 4, (1,)))
    states = entered(bench.network, batch, (1,))[1]
    longest = shift.deltas[1].flatten(1).norm(dim=1)
    assert bool((longest <= 0.2 * lengths_of(states, batch.mask).flatten() * 1.0001).all())
    assert bool((longest > 0).all())


@pytest.mark.parametrize("name", ["freelb", "pgd"])
def test_a_batch_that_enters_above_is_disturbed_there(
    name: str, bert: Path, tmp_path: Path
) -> None:
    from luthier.models.adapters.lora import LowRank

    bench = make_bench(bert, Task.CLASSIFY, LowRank(rank=4, alpha=8.0, top_layers=2))
    objective = wrapped(name, bench.head.losses, 0.3, 2, 1.0, 1, 3)  # type: ignore[arg-type]
    whole = objective(bench.network, bench.batches().collate(bench.all[:4])).per_example
    hidden = bench.prefix(1, tmp_path)
    cut = bench.batches(hidden).collate(bench.all[:4])
    cut = replace(cut, ids=torch.zeros_like(cut.ids))
    torch.testing.assert_close(objective(bench.network, cut).per_example, whole)
