"""Per-example losses with weights, and a cross-entropy that never holds all logits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import cross_entropy


@dataclass(frozen=True)
class Losses:
    """What an objective says about a batch.

    `per_example` is each example's mean loss (B,), `weights` how much it counts (B,). `decomposes`
    is False when an example's loss depends on its neighbours, as in contrastive losses; gradient
    rules that work by example refuse those.
    """

    per_example: Float[Tensor, " B"]
    weights: Float[Tensor, " B"]
    decomposes: bool = True

    @property
    def total(self) -> Tensor:
        """Weighted sum of the losses."""
        return (self.per_example * self.weights).sum()


class _ChunkedNll(torch.autograd.Function):
    """Negative log-likelihood of targets under softmax(h W^T + b), chunk by chunk.

    The backward pass computes the logits of a chunk again instead of keeping them: one more
    product for memory that does not grow with tokens times vocabulary.
    """

    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor | None, target: Tensor, chunk: int
    ) -> Tensor:
        nll = torch.empty(len(hidden), dtype=torch.float32, device=hidden.device)
        norm = torch.empty_like(nll)
        for start in range(0, len(hidden), chunk):
            part = slice(start, start + chunk)
            logits = _logits(hidden[part], weight, bias)
            norm[part] = torch.logsumexp(logits, -1)
            nll[part] = norm[part] - logits.gather(1, target[part, None]).squeeze(1)
        ctx.save_for_backward(hidden, weight, bias, target, norm)
        ctx.chunk = chunk
        return nll

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (grad,) = grads
        hidden, weight, bias, target, norm = ctx.saved_tensors
        want_hidden, want_weight, want_bias = ctx.needs_input_grad[:3]
        grad_hidden = torch.empty_like(hidden) if want_hidden else None
        grad_weight = torch.zeros_like(weight) if want_weight else None
        grad_bias = torch.zeros_like(bias) if want_bias else None
        for start in range(0, len(hidden), ctx.chunk):
            part = slice(start, start + ctx.chunk)
            chance = _logits(hidden[part], weight, bias).sub_(norm[part, None]).exp_()
            chance[torch.arange(len(chance), device=chance.device), target[part]] -= 1.0
            chance.mul_(grad[part, None])
            slope = chance.to(weight.dtype)
            if grad_hidden is not None:
                grad_hidden[part] = (slope @ weight).to(hidden.dtype)
            if grad_weight is not None:
                grad_weight += slope.T @ hidden[part].to(weight.dtype)
            if grad_bias is not None:
                grad_bias += chance.sum(0).to(bias.dtype)
        return grad_hidden, grad_weight, grad_bias, None, None


def _logits(hidden: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    logits = hidden.to(weight.dtype) @ weight.T
    if bias is not None:
        logits = logits + bias
    return logits.float()


def chunked_nll(
    hidden: Float[Tensor, "S D"],
    weight: Float[Tensor, "V D"],
    bias: Float[Tensor, " V"] | None,
    target: Int[Tensor, " S"],
    chunk_elements: int = 4_194_304,
) -> Float[Tensor, " S"]:
    """Nats per position; at most `chunk_elements` logits exist at a time."""
    chunk = max(1, chunk_elements // len(weight))
    result: Tensor = _ChunkedNll.apply(hidden, weight, bias, target, chunk)
    return result


def whole_nll(logits: Float[Tensor, "S V"], target: Int[Tensor, " S"]) -> Float[Tensor, " S"]:
    """The same from logits that exist already."""
    return cross_entropy(logits.float(), target, reduction="none")


def sum_by_row(
    values: Float[Tensor, " S"], owner: Int[Tensor, " S"], rows: int
) -> Float[Tensor, " B"]:
    """Sums of `values` that belong to the same row."""
    return torch.zeros(rows, dtype=values.dtype, device=values.device).index_add(0, owner, values)
