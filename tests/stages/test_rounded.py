"""Linear layers in whole numbers: exact both ways, row by row, and near the layer in floats."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from luthier.stages.safety.filtering.rounded import (
    LARGEST,
    Rounded,
    by_floats,
    by_whole_numbers,
    quicker,
    rounded,
)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 70), st.integers(2, 2200), st.integers(1, 40), st.integers(0, 99))
def test_both_ways_give_the_same_exact_products(rows: int, wide: int, high: int, seed: int) -> None:
    random = torch.Generator().manual_seed(seed)
    x = torch.randint(-LARGEST, LARGEST + 1, (rows, wide), dtype=torch.int8, generator=random)
    weight = torch.randint(-LARGEST, LARGEST + 1, (high, wide), dtype=torch.int8, generator=random)
    x[0], weight[0] = LARGEST, LARGEST
    exact = (x.double() @ weight.double().T).long()
    assert torch.equal(by_floats(x, weight.T).long(), exact)
    assert torch.equal(quicker()(x, weight.T).long(), exact)


def test_the_processor_is_asked_with_the_largest_sums(monkeypatch: pytest.MonkeyPatch) -> None:
    def saturating(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        return by_whole_numbers(x, weight).clamp(-(1 << 15), 1 << 15)

    monkeypatch.setattr("luthier.stages.safety.filtering.rounded.by_whole_numbers", saturating)
    quicker.cache_clear()
    try:
        assert quicker() is by_floats
    finally:
        quicker.cache_clear()


def test_a_row_comes_out_the_same_whatever_stands_beside_it() -> None:
    torch.manual_seed(1)
    layer = Rounded.of(torch.randn(48, 32), torch.randn(48))
    x = torch.randn(9, 32) * torch.logspace(-3, 3, 9).unsqueeze(1)
    whole = layer(x)
    for number, row in enumerate(x):
        assert torch.equal(layer(row.unsqueeze(0))[0], whole[number])


def test_the_layer_is_near_the_one_in_floats() -> None:
    torch.manual_seed(2)
    weight, bias = torch.randn(96, 384), torch.randn(96)
    x = torch.randn(20, 384)
    expected = torch.nn.functional.linear(x, weight, bias)
    assert (Rounded.of(weight, bias)(x) - expected).norm() < 0.015 * expected.norm()


def test_a_row_of_zeros_gives_the_bias() -> None:
    layer = Rounded.of(torch.randn(5, 8), torch.arange(5.0))
    assert torch.equal(layer(torch.zeros(2, 8)), torch.arange(5.0).expand(2, 5))


def test_rounding_errs_by_half_a_step_at_most() -> None:
    torch.manual_seed(3)
    rows = torch.randn(30, 100)
    whole, steps = rounded(rows)
    assert ((whole * steps - rows).abs() <= 0.5001 * steps).all()
