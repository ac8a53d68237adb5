"""Update rules against their formulas, written plainly."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from luthier.train.schedule import RateSchedule
from luthier.train.updates.rules import Descent

FLAT = RateSchedule(100, "constant", warmup=0.0)


def _parameters() -> dict[str, nn.Parameter]:
    random = torch.Generator().manual_seed(0)
    return {
        "model.weight": nn.Parameter(torch.randn(3, 4, generator=random)),
        "model.bias": nn.Parameter(torch.randn(4, generator=random)),
        "output.weight": nn.Parameter(torch.randn(2, 3, generator=random)),
    }


def _gradients(step: int) -> dict[str, Tensor]:
    random = torch.Generator().manual_seed(100 + step)
    return {n: 0.1 * torch.randn(p.shape, generator=random) for n, p in _parameters().items()}


def _run(descent: Descent, steps: int = 6) -> dict[str, Tensor]:
    parameters = _parameters()
    optimizer = descent.start(parameters)
    for step in range(steps):
        for name, gradient in _gradients(step).items():
            parameters[name].grad = gradient.clone()
        descent.apply(parameters, optimizer, step)
    return {n: p.detach() for n, p in parameters.items()}


@pytest.mark.parametrize("fused", [True, False])
def test_adamw(fused: bool) -> None:
    rate, decay, first, second, epsilon = 0.02, 0.1, 0.8, 0.95, 1e-6
    descent = Descent(
        rate, FLAT, "adamw", decay, (first, second), epsilon, clip_norm=None, fused=fused
    )
    found = _run(descent)
    for name, start in _parameters().items():
        w = start.detach().double()
        m, v = torch.zeros_like(w), torch.zeros_like(w)
        for step in range(6):
            g = _gradients(step)[name].double()
            w = w * (1 - rate * (decay if w.ndim >= 2 else 0.0))
            m = first * m + (1 - first) * g
            v = second * v + (1 - second) * g**2
            up = m / (1 - first ** (step + 1))
            w = w - rate * up / ((v / (1 - second ** (step + 1))).sqrt() + epsilon)
        torch.testing.assert_close(found[name].double(), w, atol=1e-6, rtol=1e-6)


def test_lion() -> None:
    rate, decay, first, second = 0.02, 0.1, 0.9, 0.99
    found = _run(Descent(rate, FLAT, "lion", decay, (first, second), clip_norm=None))
    for name, start in _parameters().items():
        w, m = start.detach().clone(), torch.zeros(start.shape)
        for step in range(6):
            g = _gradients(step)[name]
            w = w * (1 - rate * (decay if w.ndim >= 2 else 0.0))
            w = w - rate * torch.sign(first * m + (1 - first) * g)
            m = second * m + (1 - second) * g
        torch.testing.assert_close(found[name], w, atol=1e-6, rtol=1e-6)


def test_sgd_with_momentum() -> None:
    found = _run(Descent(0.02, FLAT, "sgd", 0.0, (0.7, 0.9), clip_norm=None))
    for name, start in _parameters().items():
        w, m = start.detach().clone(), torch.zeros(start.shape)
        for step in range(6):
            m = 0.7 * m + _gradients(step)[name]
            w = w - 0.02 * m
        torch.testing.assert_close(found[name], w, atol=1e-6, rtol=1e-6)


def test_adafactor_moves_every_parameter() -> None:
    found = _run(Descent(0.02, FLAT, "adafactor", 0.0, clip_norm=None))
    for name, start in _parameters().items():
        assert (found[name] - start.detach()).abs().min() > 0


def test_clipping() -> None:
    parameters = _parameters()
    descent = Descent(0.5, FLAT, "sgd", 0.0, (0.0, 0.9), clip_norm=0.25)
    optimizer = descent.start(parameters)
    gradients = _gradients(0)
    whole = math.sqrt(sum(float((g**2).sum()) for g in gradients.values()))
    assert whole > 0.25
    for name, gradient in gradients.items():
        parameters[name].grad = gradient.clone()
    assert descent.apply(parameters, optimizer, 0) == pytest.approx(whole, rel=1e-5)
    for name, start in _parameters().items():
        wanted = start.detach() - 0.5 * gradients[name] * 0.25 / whole
        torch.testing.assert_close(parameters[name].detach(), wanted, atol=1e-5, rtol=1e-5)


def test_a_new_output_layer_may_have_a_rate_of_its_own() -> None:
    one = _run(Descent(0.1, FLAT, "sgd", 0.0, clip_norm=None))
    three = _run(Descent(0.1, FLAT, "sgd", 0.0, clip_norm=None, head_rate=3.0))
    start = _parameters()
    for name in start:
        factor = 3.0 if name.startswith("output.") else 1.0
        moved = (one[name] - start[name]).detach() * factor
        torch.testing.assert_close((three[name] - start[name]).detach(), moved)


@pytest.mark.parametrize("kind", ["adamw", "sgd", "adafactor", "lion"])
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_nothing_moves_when_a_gradient_is_not_finite(kind: str, bad: float) -> None:
    parameters = _parameters()
    descent = Descent(0.1, FLAT, kind)  # type: ignore[arg-type]
    optimizer = descent.start(parameters)
    for name, gradient in _gradients(0).items():
        parameters[name].grad = gradient.clone()
    parameters["model.bias"].grad[1] = bad
    assert not math.isfinite(descent.apply(parameters, optimizer, 0))
    for name, start in _parameters().items():
        assert torch.equal(parameters[name].detach(), start.detach())
    assert not optimizer.state


def test_the_schedule_scales_the_rate() -> None:
    schedule = RateSchedule(10, "constant", warmup=0.5)
    parameters = _parameters()
    descent = Descent(1.0, schedule, "sgd", 0.0, (0.0, 0.9), clip_norm=None)
    optimizer = descent.start(parameters)
    seen = []
    for step in range(6):
        before = parameters["model.weight"].detach().clone()
        for parameter in parameters.values():
            parameter.grad = torch.ones_like(parameter)
        descent.apply(parameters, optimizer, step)
        seen.append(float((before - parameters["model.weight"].detach()).mean()))
    assert seen == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0, 1.0])
