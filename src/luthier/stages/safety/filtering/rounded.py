"""A linear layer in whole numbers of eight bits, whose products are exact on every processor."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

LARGEST = 127
"""Largest whole number; its negative is the smallest, so that a sign costs nothing."""
_EXACT = 1 << 24
"""Whole numbers up to here, and their sums, are exact in float32."""
_WIDEST = _EXACT // LARGEST**2
"""Columns whose products of whole numbers can be summed in float32 without rounding."""


@dataclass(frozen=True)
class Rounded:
    """x W^T + b with x and W rounded to whole multiples of one step per row.

    `weight` holds whole numbers (D, E), `steps` (1, E) what each column of them is worth, `bias`
    (E,) is not rounded. A row of x is rounded by itself, so what comes of it depends on no other.

    Source: Dettmers et al. 2022, "LLM.int8()", section 3.1 (vector-wise quantisation).
    """

    weight: Tensor
    steps: Tensor
    bias: Tensor

    @staticmethod
    def of(weight: Tensor, bias: Tensor) -> Rounded:
        """The layer of a weight (E, D) and a bias (E,)."""
        whole, steps = rounded(weight)
        # Kept by rows and read by columns: the way in which the product reads it best.
        return Rounded(whole.T, steps.T.contiguous(), bias)

    def __call__(self, x: Tensor) -> Tensor:
        """The product (S, E) of rows (S, D)."""
        whole, steps = rounded(x)
        product = quicker()(whole, self.weight)
        return product.float().mul_(steps).mul_(self.steps).add_(self.bias)


def rounded(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Whole numbers (S, D) and the step (S, 1) of each row; a row of zeros stays one."""
    steps = rows.abs().amax(-1, keepdim=True).div_(LARGEST).clamp_min_(1e-30)
    return (rows / steps).round_().to(torch.int8), steps


Product = Callable[[Tensor, Tensor], Tensor]
"""Of whole numbers (S, D) and (D, E)."""


def by_whole_numbers(x: Tensor, weight: Tensor) -> Tensor:
    """The product (S, E) by the processor's instructions for whole numbers, where it has them.

    D is 2 or more: for one column torch gives back memory that nobody wrote to.
    """
    return torch._int_mm(x, weight)


def by_floats(x: Tensor, weight: Tensor) -> Tensor:
    """The same numbers from products in float32 that are narrow enough to be exact."""
    narrow = zip(x.split(_WIDEST, 1), weight.split(_WIDEST, 0), strict=True)
    return sum(((a.float() @ b.float()).int() for a, b in narrow), torch.zeros((), dtype=torch.int))


@lru_cache(maxsize=1)
def quicker() -> Product:
    """The quicker of the two on this processor; they say the same, and where whole numbers are
    summed with less room than they need, which some processors do, it is the other one."""
    x = torch.full((64, 2 * _WIDEST), LARGEST, dtype=torch.int8)
    weight = torch.full((1024, 2 * _WIDEST), -LARGEST, dtype=torch.int8).T
    if not torch.equal(by_whole_numbers(x, weight), by_floats(x, weight)):
        return by_floats
    return min((by_whole_numbers, by_floats), key=lambda way: _seconds(way, x, weight))


def _seconds(way: Product, x: Tensor, weight: Tensor) -> float:
    spent = []
    for _ in range(3):
        began = time.perf_counter()
        way(x, weight)
        spent.append(time.perf_counter() - began)
    return min(spent)
