"""What training rows leave in a model: sketches, captured gradients, suspicions, removals."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from luthier.core.errors import CheckRun, FixRecipe
from luthier.core.progress import Silence
from luthier.core.types import Task
from luthier.data.feed.batches import collate, sequential
from luthier.explain.influence import Traces
from luthier.explain.rows.capture import Captured, capture
from luthier.explain.rows.control import auc
from luthier.explain.rows.removal import compare
from luthier.explain.rows.sketch import Sketch
from luthier.explain.rows.suspicion import suspicions
from luthier.models.adapters.full import FullParameters
from luthier.models.adapters.lora import LowRank
from tiny import Bench, make_bench


def captured(bench: Bench, width: int = 512, rows: int = 5) -> Captured:
    """What all examples leave, in their order."""
    parts = sequential(bench.encoded, bench.all, bench.plan, rows)
    batches = (collate(bench.encoded, part, bench.plan) for part in parts)
    found = capture(bench.network, bench.head.losses, batches, Sketch(3, width), Silence())
    order = np.argsort(found.rows)
    return Captured(found.gradients[order], found.losses[order], found.rows[order], found.left_out)


def looped(bench: Bench) -> tuple[torch.Tensor, torch.Tensor]:
    """Each example's gradient and loss by backpropagation of it alone."""
    trained = [p for p in bench.network.parameters() if p.requires_grad]
    grads, losses = [], []
    for example in bench.all:
        batch = collate(bench.encoded, np.asarray([example]), bench.plan)
        loss = bench.head.losses(bench.network, batch).per_example[0]
        found = torch.autograd.grad(loss, trained, allow_unused=True)
        pairs = zip(found, trained, strict=True)
        grads.append(
            torch.cat([(torch.zeros_like(p) if g is None else g).flatten() for g, p in pairs])
        )
        losses.append(loss.detach())
    return torch.stack(grads), torch.stack(losses)


@pytest.mark.parametrize(
    ("model", "task", "adapter"),
    [
        ("bert", Task.CLASSIFY, LowRank(4, 8.0)),
        ("bert", Task.CLASSIFY, LowRank(4, 8.0, dropout=0.3)),
        ("bert", Task.MULTILABEL, LowRank(4, 8.0, decomposed=True)),
        ("bert", Task.CLASSIFY, FullParameters(1)),
        ("llama", Task.INSTRUCT, LowRank(4, 8.0)),
    ],
)
def test_captured_gradients_are_those_of_each_example(
    model: str, task: Task, adapter: object, request: pytest.FixtureRequest
) -> None:
    folder: Path = request.getfixturevalue(model)
    bench = make_bench(folder, task, adapter)  # type: ignore[arg-type]
    bench.train(3, bench.batches())
    drops = [m.p for m in bench.network.modules() if isinstance(m, nn.Dropout)]
    # So wide that nothing falls together: products are then exact.
    found = captured(bench, width=1 << 17)
    assert [m.p for m in bench.network.modules() if isinstance(m, nn.Dropout)] == drops
    bench.network.mode(False, False)
    grads, losses = looped(bench)
    np.testing.assert_allclose(found.losses, losses.numpy(), rtol=1e-4)
    wide = torch.from_numpy(found.gradients)
    # One place holds one number of every parameter, so lengths are not exact but near.
    cosines = torch.nn.functional.cosine_similarity(grads[:, None], grads[None], dim=-1)
    mine = torch.nn.functional.cosine_similarity(wide[:, None], wide[None], dim=-1)
    assert float((mine - cosines).abs().max()) < 0.05
    np.testing.assert_allclose(wide.norm(dim=1), grads.norm(dim=1), rtol=0.05)


def test_company_in_a_batch_changes_nothing(bert: Path) -> None:
    bench = make_bench(bert, Task.CLASSIFY)
    bench.train(3, bench.batches())
    one, other = captured(bench, rows=5), captured(bench, rows=1)
    np.testing.assert_allclose(one.gradients, other.gradients, rtol=1e-3, atol=1e-5)


def test_what_is_too_large_is_left_out_and_told(
    bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("luthier.explain.rows.capture.LARGEST", 5000)
    bench = make_bench(bert, Task.CLASSIFY, FullParameters())
    found = captured(bench)
    assert any("word_embeddings" in name for name in found.left_out)
    assert all(p.grad is None for p in bench.network.parameters())
    assert any(p.requires_grad and p.numel() > 5000 for p in bench.network.parameters())


def test_a_model_without_gradients_is_refused(bert: Path) -> None:
    bench = make_bench(bert, Task.CLASSIFY)
    for parameter in bench.network.parameters():
        parameter.requires_grad_(False)
    with pytest.raises(CheckRun, match="nothing in this model was trained by gradients"):
        captured(bench)


def test_rows_of_several_examples_are_refused(llama: Path) -> None:
    bench = make_bench(llama, Task.ADAPT)
    bench = replace(bench, encoded=replace(bench.encoded, rows=bench.encoded.rows // 2))
    with pytest.raises(FixRecipe, match="several examples"):
        captured(bench, rows=8)


def test_a_sketch_keeps_products_on_average() -> None:
    dice = torch.Generator().manual_seed(0)
    layer = nn.Linear(300, 40)
    grads = torch.randn(12, 40, 300, generator=dice) + torch.randn(1, 40, 300, generator=dice)
    flat = grads.flatten(1)
    exact = flat @ flat.T
    names = {id(layer.weight): "weight"}
    every = []
    for seed in range(20):
        found = Sketch(seed).of(names, [(layer.weight, grads)], 12)
        assert found.shape == (12, 512)
        every.append(found @ found.T)
    mean = torch.stack(every).mean(0)
    scale = float(exact.diagonal().mean())
    assert float((mean - exact).abs().max()) < 0.1 * scale
    error = (torch.stack(every) - exact).square().mean().sqrt()
    assert float(error) < 2 * scale / 512**0.5
    again = Sketch(19).of(names, [(layer.weight, grads)], 12)
    assert torch.equal(again @ again.T, every[-1])


def test_a_chance_of_being_larger() -> None:
    assert auc(np.asarray([3.0]), np.asarray([1.0, 2.0])) == 1.0
    assert auc(np.asarray([1.0]), np.asarray([1.0])) == 0.5
    dice = np.random.default_rng(0)
    mine, theirs = dice.integers(0, 5, 40).astype(float), dice.integers(0, 5, 60).astype(float)
    from sklearn.metrics import roc_auc_score

    truth = np.r_[np.ones(40), np.zeros(60)]
    assert auc(mine, theirs) == pytest.approx(roc_auc_score(truth, np.r_[mine, theirs]))


def test_wrong_labels_are_suspected() -> None:
    dice = np.random.default_rng(0)
    truth = np.arange(120) % 3
    vectors = (np.eye(3)[truth] * 3 + dice.normal(size=(120, 3))).astype(np.float32)
    labels = truth.copy()
    labels[:12] = (labels[:12] + 1) % 3
    wrong = np.arange(120) < 12
    losses = dice.exponential(size=120) + wrong
    gradients = (dice.normal(size=(120, 8)) * (1 + wrong)[:, None]).astype(np.float32)
    found = suspicions(Traces(gradients, losses, vectors), labels, 3, 0)
    assert auc(found.together[wrong], found.together[~wrong]) > 0.9
    assert all(s.min() >= 0 and s.max() <= 1 for s in found.signals.values())
    np.testing.assert_allclose(found.answers.sum(1), 1.0)


def test_a_class_of_one_row_is_borne() -> None:
    labels = np.asarray([0] * 9 + [1])
    vectors = np.random.default_rng(0).normal(size=(10, 4)).astype(np.float32)
    found = suspicions(Traces(vectors, np.ones(10), vectors), labels, 2, 0)
    assert np.isfinite(found.together).all()


def test_a_cause_needs_more_than_chance() -> None:
    others = [1.0, 1.2, 0.9, 1.1, 1.0, 1.05, 0.95, 1.0]
    assert compare([-1.0, -1.1, -0.9, -1.0], others).caused
    assert not compare([1.0, 1.2, 0.8, 1.1], others).caused
    assert not compare([3.0, 3.1, 2.9, 3.0], others).caused
    assert compare([0.0, 0.0], [1.0, 1.0]).caused
