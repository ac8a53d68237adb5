"""A LoRA layer that adds its update into the product of the frozen layer, in one pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from peft.tuners.lora.layer import Linear as PeftLinear
from torch import Tensor, nn

Tap = Callable[[Tensor, Tensor, Tensor, Tensor, torch.Size], None]
"""Is told x (S, D), x A^T (S, r), the gradient of the product (S, E), that gradient times B (S, r),
and the shape of x; it takes the gradients of A and B upon itself."""


class _AddedProduct(torch.autograd.Function):
    """x W^T + b + s (x A^T) B^T, and its gradient, without a tensor of the output's size per term.

    The frozen W and b get no gradient. With a `tap`, A and B get none either: the tap is told what
    they are made of.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        a: Tensor,
        b: Tensor,
        how: tuple[float, Tap | None],
    ) -> Tensor:
        scale, tap = how
        flat = x.reshape(-1, x.shape[-1])
        small = flat @ a.T
        out = torch.nn.functional.linear(flat, weight, bias)
        out.addmm_(small, b.T, alpha=scale)
        ctx.save_for_backward(flat, weight, a, b, small)
        ctx.scale, ctx.shape, ctx.tap = scale, x.shape, tap
        return out.view(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        flat, weight, a, b, small = ctx.saved_tensors
        grad = grads[0].reshape(-1, grads[0].shape[-1])
        inner = grad @ b
        grad_a = grad_b = grad_x = None
        if ctx.tap is not None:
            ctx.tap(flat, small, grad, inner, ctx.shape)
        else:
            # The long side last: a fifth faster than the same product the other way round.
            grad_b = (small.T @ grad).mul_(ctx.scale).T
            grad_a = (inner.T @ flat).mul_(ctx.scale)
        if ctx.needs_input_grad[0]:
            grad_x = (grad @ weight).addmm_(inner, a, alpha=ctx.scale).view(ctx.shape)
        return grad_x, None, None, grad_a, grad_b, None


class FusedLoraLinear(PeftLinear):  # type: ignore[misc]
    """PEFT's LoRA layer with a faster forward pass where it is plain: one adapter, no dropout at
    work, no variant, one number format. Everything else goes PEFT's way, files included.

    `tap`, where it is set, is told what per-example gradients are made of."""

    tap: Tap | None = None

    def forward(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """The adapted product."""
        name = self._plain_adapter(x)
        if name is None or args or kwargs:
            result: Tensor = super().forward(x, *args, **kwargs)
            return result
        base = self.base_layer
        a, b = self.lora_A[name].weight, self.lora_B[name].weight
        fused: Tensor = _AddedProduct.apply(
            x, base.weight, base.bias, a, b, (float(self.scaling[name]), self.tap)
        )
        return fused

    @property
    def plain_when_trained(self) -> bool:
        """Whether a training pass goes the fast way, whatever it is given."""
        dropouts = [m for m in self.lora_dropout.values() if isinstance(m, nn.Dropout) and m.p > 0]
        return len(self.active_adapters) == 1 and not (dropouts or len(self.lora_variant))

    @property
    def foldable(self) -> bool:
        """Whether its update may be added to its weight, without rounding to fewer bits."""
        base = self.base_layer
        return (
            type(base) is nn.Linear
            and base.weight.dtype == torch.float32
            and len(self.active_adapters) == 1
            and not (self.merged or self.disable_adapters or len(self.lora_variant))
            and all(part.bias is None for part in self.lora_B.values())
        )

    def _plain_adapter(self, x: Tensor) -> str | None:
        """The only active adapter when the fast way is legal, else None."""
        if self.disable_adapters or self.merged or len(self.active_adapters) != 1:
            return None
        name = str(self.active_adapters[0])
        base = self.base_layer
        if name not in self.lora_A or name in self.lora_variant or type(base) is not nn.Linear:
            return None
        dropout = self.lora_dropout[name]
        if isinstance(dropout, nn.Dropout) and dropout.p > 0 and dropout.training:
            return None
        if base.weight.requires_grad or torch.is_autocast_enabled(x.device.type):
            return None
        weight = self.lora_A[name].weight
        biased = self.lora_B[name].bias is not None
        return None if biased or not (x.dtype == weight.dtype == base.weight.dtype) else name
