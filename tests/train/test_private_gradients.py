"""Gradients by unit equal those of one text at a time, for every kind of layer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from luthier.core.errors import FixRecipe
from luthier.core.types import Task
from luthier.data.feed.batch import Batch
from luthier.models.adapters.full import FullParameters, HeadAlone
from luthier.models.adapters.ia3 import Ia3Scales
from luthier.models.adapters.lora import LowRank
from luthier.models.losses import Losses
from luthier.models.network import Network
from luthier.train.units.agree import check_sums
from luthier.train.units.layers import pairs
from luthier.train.units.layout import Layout, layout_of
from luthier.train.units.passing import Passage, pass_through
from luthier.train.units.room import Room
from luthier.train.units.watched import watched_layers
from tiny import Bench, make_bench

ADAPTERS: dict[str, Any] = {
    "lora": LowRank(4, 8.0),
    "dropout": LowRank(4, 8.0, dropout=0.3),
    "dora": LowRank(4, 8.0, decomposed=True),
    "ia3": Ia3Scales(),
    "full": FullParameters(),
    "top": FullParameters(1),
    "head": HeadAlone(),
}
CASES = [
    *((Task.CLASSIFY, "bert", name) for name in ADAPTERS),
    (Task.TAG, "bert", "full"),
    (Task.MULTILABEL, "bert", "lora"),
    (Task.INSTRUCT, "llama", "lora"),
    (Task.INSTRUCT, "llama", "dora"),
    (Task.INSTRUCT, "llama", "ia3"),
    (Task.PREFER, "llama", "lora"),
    (Task.ADAPT, "masked_bert", "lora"),
]


def bench_of(folder: Path, task: Task, name: str) -> Bench:
    """A bench whose trained parameters have moved away from where gradients vanish."""
    bench = make_bench(folder, task, ADAPTERS[name])
    torch.manual_seed(3)
    with torch.no_grad():
        for parameter in bench.network.parameters():
            if parameter.requires_grad:
                parameter.add_(0.1 * torch.randn_like(parameter))
    bench.network.mode(True, False)
    return bench


def first_batch(bench: Bench, **plan: Any) -> Batch:
    """The first forward pass of the first update."""
    reference = bench.reference() if bench.head.task is Task.PREFER else None
    return bench.batches(reference=reference, **plan).at(0).micro[0]


def looped(bench: Bench, losses: Losses) -> list[dict[str, torch.Tensor]]:
    """Each row's gradient by backpropagation of its loss alone."""
    named = {n: p for n, p in bench.network.named_parameters() if p.requires_grad}
    every = losses.per_example * losses.weights
    found = []
    for loss in every:
        grads = torch.autograd.grad(
            loss, list(named.values()), retain_graph=True, allow_unused=True
        )
        pairs = zip(named.items(), grads, strict=True)
        found.append({n: torch.zeros_like(p) if g is None else g for (n, p), g in pairs})
    return found


def passed(bench: Bench, batch: Batch, unit_of: Any = None) -> Passage:
    """Our way, in one backward pass."""
    layers = watched_layers(bench.network)
    layout = layout_of(bench.network, batch, unit_of)
    return pass_through(layers, bench.head.losses, bench.network, batch, layout)


def summed(bench: Bench, passage: Passage, factors: torch.Tensor) -> dict[str, torch.Tensor]:
    """The weighted sum by name."""
    named = {n: p for n, p in bench.network.named_parameters() if p.requires_grad}
    into = {id(p): torch.zeros_like(p) for p in named.values()}
    passage.add(factors, into)
    return {n: into[id(p)] for n, p in named.items()}


def norm_of(grads: dict[str, torch.Tensor]) -> float:
    return float(torch.cat([g.double().flatten() for g in grads.values()]).norm())


@pytest.mark.parametrize(("task", "model", "name"), CASES)
@pytest.mark.parametrize("padded", [False, True])
def test_norms_and_sums_equal_a_loop(
    task: Task, model: str, name: str, padded: bool, request: pytest.FixtureRequest
) -> None:
    bench = bench_of(request.getfixturevalue(model), task, name)
    if padded:
        if model == "llama":
            pytest.skip("causal models are always padded")
        bench.network.backbone.config._attn_implementation = "eager"
    batch = first_batch(bench)
    torch.manual_seed(11)
    singles = looped(bench, bench.head.losses(bench.network, batch))
    torch.manual_seed(11)
    passage = passed(bench, batch)
    owner = passage.layout.owner
    singles = [singles[int(row)] for row in owner.unique_consecutive().argsort()]
    expected = torch.tensor([norm_of(g) for g in singles])
    assert float(expected.min()) > 0
    torch.testing.assert_close(passage.norms, expected, rtol=1e-5, atol=0)
    factors = torch.linspace(0.1, 1.0, len(singles))
    for parameter, ours in summed(bench, passage, factors).items():
        loop = sum(f * g[parameter] for f, g in zip(factors, singles, strict=True))
        torch.testing.assert_close(ours, loop, rtol=1e-4, atol=1e-6 * norm_of(singles[0]))
    assert all(p.grad is None for p in bench.network.parameters())


@pytest.mark.parametrize("name", ["lora", "full", "ia3"])
def test_rows_of_one_unit_are_one_gradient(name: str, bert: Path) -> None:
    bench = bench_of(bert, Task.CLASSIFY, name)
    batch = first_batch(bench)
    singles = looped(bench, bench.head.losses(bench.network, batch))
    unit_of = np.arange(len(bench.encoded)) % 3
    units = unit_of[batch.rows.numpy()]
    passage = passed(bench, batch, unit_of)
    for place, unit in enumerate(np.unique(units)):
        own = [g for g, u in zip(singles, units, strict=True) if u == unit]
        together = {n: sum(g[n] for g in own) for n in own[0]}
        assert float(passage.norms[place]) == pytest.approx(norm_of(together), rel=1e-5)


@pytest.mark.parametrize("name", ["lora", "full"])
def test_two_passes_over_one_batch_add_up_before_the_norm(name: str, bert: Path) -> None:
    """An objective that looks at the batch twice, as adversarial ones do."""
    bench = bench_of(bert, Task.CLASSIFY, name)
    batch = first_batch(bench)
    other = replace(batch, targets=(batch.targets + 1) % 3)

    def twice(network: Network, given: Batch) -> Losses:
        one = bench.head.losses(network, given)
        two = bench.head.losses(network, other)
        return Losses(one.per_example + 0.5 * two.per_example, one.weights)

    singles = looped(bench, twice(bench.network, batch))
    layers = watched_layers(bench.network)
    layout = layout_of(bench.network, batch, None)
    passage = pass_through(layers, twice, bench.network, batch, layout)
    expected = torch.tensor([norm_of(g) for g in singles])
    torch.testing.assert_close(passage.norms, expected, rtol=1e-5, atol=0)


@pytest.mark.parametrize("padded", [False, True])
def test_passes_that_share_a_room_give_what_they_give_alone(padded: bool, bert: Path) -> None:
    bench = bench_of(bert, Task.CLASSIFY, "lora")
    if padded:
        bench.network.backbone.config._attn_implementation = "eager"
    room, layers = Room(), watched_layers(bench.network)
    batches = [first_batch(bench, micro_rows=rows) for rows in (2, 6, 3)]
    for batch in batches:
        layout = layout_of(bench.network, batch, None)
        shared = pass_through(layers, bench.head.losses, bench.network, batch, layout, room)
        alone = passed(bench, batch)
        assert torch.equal(shared.norms, alone.norms)
        factors = torch.linspace(0.1, 1.0, layout.units)
        expected = summed(bench, alone, factors)
        for name, ours in summed(bench, shared, factors).items():
            assert not ours.requires_grad
            assert torch.equal(ours, expected[name])


def test_a_room_grows_and_forgets_other_formats() -> None:
    room = Room()
    small = room.of("a", torch.zeros(1), 2, 3).fill_(7.0)
    assert room.of("a", torch.zeros(1), 3, 2).data_ptr() == small.data_ptr()
    assert room.of("b", torch.zeros(1), 2, 3).data_ptr() != small.data_ptr()
    assert room.of("a", torch.zeros(1), 4, 5).shape == (4, 5)
    assert room.of("a", torch.zeros(1, dtype=torch.float64), 2).dtype == torch.float64


def test_layers_of_one_input_share_its_products() -> None:
    layout = Layout(torch.arange(3), 3)
    given = torch.randn(3, 4, 5)
    first = pairs("query", given.detach(), layout)
    assert pairs("key", given.detach(), layout)[0] is first[0]
    assert pairs("value", given.clone(), layout)[0] is not first[0]


def test_a_kept_prefix_changes_nothing(bert: Path, tmp_path: Path) -> None:
    bench = bench_of(bert, Task.CLASSIFY, "top")
    expected = passed(bench, first_batch(bench)).norms
    hidden = bench.prefix(2, tmp_path)
    bench.network.mode(True, False)
    found = passed(bench, bench.batches(hidden).at(0).micro[0]).norms
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=0)


def test_tied_output_layer_of_a_causal_model(llama: Path) -> None:
    bench = make_bench(llama, Task.INSTRUCT, FullParameters())
    bench = replace(bench, head=replace(bench.head, chunked=False))
    bench.network.plain.config.tie_word_embeddings = True
    bench.network.plain.tie_weights()
    bench.network.mode(True, False)
    batch = first_batch(bench)
    singles = looped(bench, bench.head.losses(bench.network, batch))
    expected = torch.tensor([norm_of(g) for g in singles])
    torch.testing.assert_close(passed(bench, batch).norms, expected, rtol=1e-5, atol=0)


def test_a_parameter_used_outside_its_layer_is_refused(llama: Path) -> None:
    """The loss in chunks reads the output layer's weight directly."""
    bench = make_bench(llama, Task.INSTRUCT, FullParameters())
    bench.network.mode(True, False)
    batch = first_batch(bench)
    layout = layout_of(bench.network, batch, None)
    with pytest.raises(FixRecipe, match="lm_head"):
        layers = watched_layers(bench.network)
        check_sums(layers, bench.head.losses, bench.network, batch, layout)


def test_losses_of_neighbours_are_refused(bert: Path) -> None:
    bench = bench_of(bert, Task.CLASSIFY, "lora")
    batch = first_batch(bench)

    def contrasting(network: Network, given: Batch) -> Losses:
        return replace(bench.head.losses(network, given), decomposes=False)

    layout = layout_of(bench.network, batch, None)
    with pytest.raises(FixRecipe, match="depends on the others"):
        layers = watched_layers(bench.network)
        pass_through(layers, contrasting, bench.network, batch, layout)


def test_packed_batches_are_refused(llama: Path) -> None:
    bench = bench_of(llama, Task.INSTRUCT, "lora")
    batch = first_batch(bench, pack_tokens=64)
    with pytest.raises(FixRecipe, match=r"fast\.pack"):
        layout_of(bench.network, batch, None)


def test_layers_that_mix_texts_are_refused(bert: Path) -> None:
    bench = bench_of(bert, Task.CLASSIFY, "lora")

    class Mean(nn.Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x.mean(0, keepdim=True)).expand(len(x), -1)

    class Pair(nn.Module):
        def __init__(self, first: nn.Module) -> None:
            super().__init__()
            self.first, self.mixing = first, Mean(3, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            scores: torch.Tensor = self.first(x)
            return scores + self.mixing(scores)

    bench.network.output = Pair(bench.network.output)
    batch = first_batch(bench)
    layout = layout_of(bench.network, batch, None)
    with pytest.raises(FixRecipe, match="mixing"):
        layers = watched_layers(bench.network)
        check_sums(layers, bench.head.losses, bench.network, batch, layout)
