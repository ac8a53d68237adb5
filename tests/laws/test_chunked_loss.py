"""Cross-entropy chunk by chunk equals cross-entropy from all logits."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy

from luthier.core.types import Task
from luthier.models.losses import chunked_nll
from tiny import furthest, losses_of, make_bench


@settings(max_examples=40, deadline=None)
@given(
    positions=st.integers(1, 17),
    vocabulary=st.integers(2, 23),
    width=st.integers(1, 9),
    elements=st.integers(1, 500),
    bias=st.booleans(),
    seed=st.integers(0, 2**31),
)
def test_loss_and_gradients(
    positions: int, vocabulary: int, width: int, elements: int, bias: bool, seed: int
) -> None:
    random = torch.Generator().manual_seed(seed)
    parts = [torch.randn(positions, width, generator=random)]
    parts.append(torch.randn(vocabulary, width, generator=random))
    if bias:
        parts.append(torch.randn(vocabulary, generator=random))
    target = torch.randint(vocabulary, (positions,), generator=random)
    weights = torch.rand(positions, generator=random)
    ours = [p.clone().requires_grad_() for p in parts]
    theirs = [p.clone().requires_grad_() for p in parts]
    found = chunked_nll(ours[0], ours[1], ours[2] if bias else None, target, elements)
    logits = theirs[0] @ theirs[1].T + (theirs[2] if bias else 0.0)
    wanted = cross_entropy(logits, target, reduction="none")
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5)
    (found * weights).sum().backward()
    (wanted * weights).sum().backward()
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine.grad, other.grad, atol=1e-5, rtol=1e-5)


def test_frozen_output_layer_gets_no_gradient() -> None:
    hidden, weight = torch.randn(4, 3, requires_grad=True), torch.randn(7, 3)
    chunked_nll(hidden, weight, None, torch.tensor([0, 1, 2, 6]), 7).sum().backward()
    assert hidden.grad is not None and weight.grad is None


CASES = [(Task.INSTRUCT, "llama"), (Task.ADAPT, "llama"), (Task.PREFER, "llama")]


@pytest.mark.parametrize(("task", "model"), [*CASES, (Task.ADAPT, "masked_bert")])
def test_training_on_or_off(task: Task, model: str, request: pytest.FixtureRequest) -> None:
    ends, curves = [], []
    for chunked in (True, False):
        bench = make_bench(request.getfixturevalue(model), task, chunked=chunked)
        reference = bench.reference() if task is Task.PREFER else None
        state = bench.train(5, bench.batches(reference=reference), kind="sgd", rate=0.05)
        ends.append(state.snapshot())
        curves.append(losses_of(state))
    assert furthest(*ends) < 1e-5
    assert curves[0] == pytest.approx(curves[1], abs=1e-5)
