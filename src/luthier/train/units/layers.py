"""Gradients by unit of one layer, from what went in and the gradient of what came out."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.func import functional_call, vjp, vmap

from luthier.core.errors import FixRecipe
from luthier.train.units.layout import Layout

Sums = dict[str, Tensor]
"""The gradient (U, ...) of each unit, by the name of the parameter within its layer."""


class LayerRule(Protocol):
    """What is known about the gradients of a kind of layer."""

    def sums(
        self, module: nn.Module, names: tuple[str, ...], given: Tensor, grad: Tensor, layout: Layout
    ) -> Sums:
        """The gradient of each unit for the named parameters."""


class BookedRule(LayerRule, Protocol):
    """A rule that finds norms and weighted sums without each unit's gradient."""

    def squares(
        self, module: nn.Module, names: tuple[str, ...], given: Tensor, grad: Tensor, layout: Layout
    ) -> Tensor:
        """Squared norm (U,) of each unit's gradient."""

    def weighted(
        self, names: tuple[str, ...], given: Tensor, grad: Tensor, into: dict[str, Tensor]
    ) -> None:
        """Adds the gradient to `into`; `grad` is weighted by unit already."""


def products(
    place: str, left: Tensor, right: Tensor, layout: Layout, into: Tensor | None = None
) -> Tensor:
    """Sums over tokens of left_t right_t^T, by unit (U, E, D); written to `into` where each
    sequence is a unit."""
    if layout.alone:
        return _written(place, left, right, layout, into)
    found: Tensor | None = None
    for owner, (a, b) in layout.blocks(place, left, right):
        found = layout.sum_up(found, owner, torch.bmm(*_sides(a, b)))
    assert found is not None
    return found


def _written(
    place: str, left: Tensor, right: Tensor, layout: Layout, into: Tensor | None
) -> Tensor:
    """The same, written where it belongs at once: this is where an adapter's time goes."""
    if into is None:
        into = left.new_empty(layout.units, left.shape[-1], right.shape[-1])
    for owner, (a, b) in layout.blocks(place, left, right):
        if isinstance(owner, slice):
            torch.bmm(*_sides(a, b), out=into[owner])
        elif layout.runs:
            into[owner] = torch.bmm(*_sides(a, b))
        else:
            torch.bmm(*_sides(a, b), out=into)
    return into


def _sides(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    if a.ndim == 2:
        a, b = a.unsqueeze(1), b.unsqueeze(1)
    return a.transpose(1, 2), b


def totals(place: str, values: Tensor, layout: Layout) -> Tensor:
    """Sums over tokens, by unit (U, D)."""
    found: Tensor | None = None
    for owner, (part,) in layout.blocks(place, values):
        found = layout.sum_up(found, owner, part.flatten(1, -2).sum(1) if part.ndim > 2 else part)
    assert found is not None
    return found


class LinearRule:
    """y = x W^T + b.

    Source: Bu et al. 2022, "Differentially Private Optimization on Large Model at Small Cost",
    sections 2 and 3 (norms from products of tokens, one weighted product).
    """

    def sums(
        self, module: nn.Module, names: tuple[str, ...], given: Tensor, grad: Tensor, layout: Layout
    ) -> Sums:
        """One small product per unit."""
        place = type(module).__name__
        found = {}
        if "weight" in names:
            found["weight"] = products(place, grad, given, layout)
        if "bias" in names:
            found["bias"] = totals(place, grad, layout)
        return found

    def squares(
        self, module: nn.Module, names: tuple[str, ...], given: Tensor, grad: Tensor, layout: Layout
    ) -> Tensor:
        """From all pairs of tokens where a text is short, else from its gradient."""
        place = type(module).__name__
        found = torch.zeros(layout.units, device=grad.device)
        if "bias" in names:
            found += totals(place, grad, layout).square().sum(1)
        if "weight" in names and not layout.alone:
            # Texts of one unit meet inside the square.
            found += products(place, grad, given, layout).square().sum((1, 2))
        elif "weight" in names:
            shared = pairs(place, given, layout)
            for number, (owner, (a, g)) in enumerate(layout.blocks(place, given, grad)):
                found[owner] += _squares(a, g, shared, number)
        return found

    def weighted(
        self, names: tuple[str, ...], given: Tensor, grad: Tensor, into: dict[str, Tensor]
    ) -> None:
        """One product over all tokens."""
        flat = grad.flatten(0, -2)
        if "weight" in names:
            into["weight"].addmm_(flat.T, given.flatten(0, -2))
        if "bias" in names:
            into["bias"].add_(flat.sum(0))


def pairs(place: str, given: Tensor, layout: Layout) -> list[Tensor]:
    """Products of all pairs of tokens of each text, by block; layers of one input share them."""
    # Views of one input lie in one place; the tensor is kept too, so that no other can lie there.
    key = (given.data_ptr(), given.shape, given.stride())
    known = layout.kept.get(key)
    if known is None:
        known = layout.kept[key] = (given, [])
    if not known[1]:
        known[1].extend(
            a @ a.transpose(1, 2) if a.ndim == 3 else a.square().sum(1)
            for _, (a,) in layout.blocks(place, given)
        )
    return known[1]


def _squares(a: Tensor, g: Tensor, shared: list[Tensor], number: int) -> Tensor:
    if a.ndim == 2:
        return shared[number] * g.square().sum(1)
    length, wide = a.shape[1], a.shape[2] * g.shape[2]
    if 2 * length**2 < wide:
        return (shared[number] * (g @ g.transpose(1, 2))).sum((1, 2))
    return torch.bmm(g.transpose(1, 2), a).square().sum((1, 2))


class EmbeddingRule:
    """A row of a table per token."""

    def sums(
        self, module: nn.Module, names: tuple[str, ...], given: Tensor, grad: Tensor, layout: Layout
    ) -> Sums:
        """The whole table per unit; only where the table is shared with another layer."""
        assert isinstance(module, nn.Embedding)
        grad = _unpadded(module, given, grad)
        size = module.num_embeddings
        found = grad.new_zeros(layout.units * size, grad.shape[-1])
        unit = layout.spread(torch.arange(layout.units, device=grad.device), given)
        found.index_add_(0, (unit * size + given).flatten(), grad.flatten(0, -2))
        return {"weight": found.view(layout.units, size, -1)}

    def squares(
        self, module: nn.Module, names: tuple[str, ...], given: Tensor, grad: Tensor, layout: Layout
    ) -> Tensor:
        """Gradients of equal tokens of a unit are added before they are squared."""
        assert isinstance(module, nn.Embedding)
        grad = _unpadded(module, given, grad)
        unit = layout.spread(torch.arange(layout.units, device=grad.device), given)
        known, place = (unit * module.num_embeddings + given).flatten().unique(return_inverse=True)
        rows = grad.new_zeros(len(known), grad.shape[-1])
        squares = rows.index_add_(0, place, grad.flatten(0, -2)).square().sum(1)
        owner = known // module.num_embeddings
        return torch.zeros(layout.units, device=grad.device).index_add_(0, owner, squares)

    def weighted(
        self, names: tuple[str, ...], given: Tensor, grad: Tensor, into: dict[str, Tensor]
    ) -> None:
        """Adds each token's gradient to its row."""
        into["weight"].index_add_(0, given.flatten(), grad.flatten(0, -2))


def _unpadded(module: nn.Embedding, given: Tensor, grad: Tensor) -> Tensor:
    """The padding token's row is never trained."""
    if module.padding_idx is None:
        return grad
    return grad.masked_fill((given == module.padding_idx).unsqueeze(-1), 0.0)


class NormRule:
    """Layer normalisation with a scale and a shift."""

    def sums(
        self, module: nn.Module, names: tuple[str, ...], given: Tensor, grad: Tensor, layout: Layout
    ) -> Sums:
        """From the normalised input, computed once more."""
        assert isinstance(module, nn.LayerNorm)
        found = {}
        if "weight" in names:
            plain = nn.functional.layer_norm(given, module.normalized_shape, eps=module.eps)
            found["weight"] = totals("LayerNorm", plain.mul_(grad), layout)
        if "bias" in names:
            found["bias"] = totals("LayerNorm", grad, layout)
        return found


class LocalRule:
    """Any layer of one input: its own backward pass, vectorised over the texts.

    Only this layer is run again, not the network.
    """

    def sums(
        self, module: nn.Module, names: tuple[str, ...], given: Tensor, grad: Tensor, layout: Layout
    ) -> Sums:
        """The vector-Jacobian product of each text.

        Raises: FixRecipe for a layer with dropout at work, which would be drawn anew.
        """
        place = type(module).__name__
        if any(isinstance(m, nn.Dropout) and m.p > 0 and m.training for m in module.modules()):
            raise FixRecipe(
                f"gradients of single texts, layer {place}",
                "this kind of layer cannot have dropout at work",
                advice="set adapter.dropout: 0 and fast.base_dropout: false",
            )
        values = {name: module.get_parameter(name).detach() for name in names}

        def one(x: Tensor, g: Tensor) -> Sums:
            def run(free: Sums) -> Tensor:
                result: Tensor = functional_call(module, free, (x.unsqueeze(0),))
                return result

            back: Any = vjp(run, values)[1]
            return dict(back(g.unsqueeze(0))[0])

        found: dict[str, Tensor | None] = dict.fromkeys(names)
        for owner, (x, g) in layout.blocks(place, given, grad):
            for name, part in vmap(one)(x, g).items():
                found[name] = layout.sum_up(found[name], owner, part)
        return {name: part for name, part in found.items() if part is not None}
