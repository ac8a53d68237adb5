"""One forward and one backward pass that leave the gradient of every unit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from luthier.core.errors import FixRecipe
from luthier.data.feed.batch import Batch
from luthier.models.adapters.fused import FusedLoraLinear
from luthier.models.network import Network
from luthier.train.step import Objective
from luthier.train.units.layers import EmbeddingRule, LinearRule, products
from luthier.train.units.layout import Layout
from luthier.train.units.room import Room
from luthier.train.units.watched import Watched


@dataclass
class Booked:
    """What one layer's weighted product needs, kept until all norms are known."""

    layer: Watched
    given: Tensor
    grad: Tensor

    def add(self, factors: Tensor, layout: Layout, into: dict[int, Tensor]) -> None:
        """Adds the weighted gradient of all units, and lets go."""
        rule = self.layer.rule
        assert isinstance(rule, LinearRule | EmbeddingRule)
        named = zip(self.layer.names, self.layer.parameters, strict=True)
        mine = {name: into[id(parameter)] for name, parameter in named}
        grad = self.grad * layout.spread(factors, self.grad)
        if isinstance(rule, EmbeddingRule):
            assert isinstance(self.layer.module, nn.Embedding)
            if self.layer.module.padding_idx is not None:
                grad[self.given == self.layer.module.padding_idx] = 0.0
        rule.weighted(self.layer.names, self.given, grad, mine)


@dataclass
class Passage:
    """What one backward pass left: gradients by unit (U, ...) of small layers, by parameter, and
    what large layers need for their weighted product; `squares` (U,) are the squared norms."""

    layout: Layout
    squares: Tensor
    kept: dict[int, Tensor] = field(default_factory=dict)
    booked: list[Booked] = field(default_factory=list)
    reached: set[int] = field(default_factory=set)
    parameters: dict[int, nn.Parameter] = field(default_factory=dict)

    @property
    def norms(self) -> Tensor:
        """The norm (U,) of each unit's gradient over all parameters."""
        return self.squares.clamp(min=0).sqrt()

    def add(self, factors: Tensor, into: dict[int, Tensor]) -> None:
        """Adds each unit's gradient times its factor (U,) to `into`, layer by layer, letting go of
        each; a unit whose gradient is not finite adds nothing."""
        if not bool(torch.isfinite(self.squares).all()):
            self._silence()
        for key in list(self.kept):
            grads = self.kept.pop(key).flatten(1)
            into[key].view(-1).addmv_(grads.T, factors)
        while self.booked:
            self.booked.pop().add(factors, self.layout, into)

    def each(self) -> Iterator[tuple[nn.Parameter, Tensor]]:
        """Each parameter with the gradient of every unit (U, ...), layer by layer, letting go of
        each. A large layer's are made here, and take the room that `add` never needs."""
        for key in list(self.kept):
            yield self.parameters[key], self.kept.pop(key)
        while self.booked:
            part = self.booked.pop()
            layer = part.layer
            found = layer.rule.sums(layer.module, layer.names, part.given, part.grad, self.layout)
            for name, parameter in zip(layer.names, layer.parameters, strict=True):
                yield parameter, found.pop(name)

    def _silence(self) -> None:
        for grads in self.kept.values():
            grads.nan_to_num_(0.0, 0.0, 0.0)
        for part in self.booked:
            part.grad = part.grad.nan_to_num(0.0, 0.0, 0.0)
            if part.given.is_floating_point():
                part.given = part.given.nan_to_num(0.0, 0.0, 0.0)


def pass_through(
    layers: Sequence[Watched],
    objective: Objective,
    network: Network,
    batch: Batch,
    layout: Layout,
    room: Room | None = None,
) -> Passage:
    """The passage of one micro-batch. With a `room`, the next passage with it overwrites this one.

    Raises: FixRecipe for an objective whose losses depend on neighbours, and for a layer whose
    parts cannot be told apart by text.
    """
    listener = _Listener(layers, layout, room or Room())
    with listener:
        losses = objective(network, batch)
        if not losses.decomposes:
            raise FixRecipe(
                "gradients of single texts",
                "the loss of a text depends on the others in its batch, so it has none of its own",
                advice="choose another objective, or leave out what asks for them, such as "
                "safety.privacy",
            )
        losses.total.backward()
    return listener.finish()


class _Listener:
    """Listens to the layers during one pass; their parameters get no gradient meanwhile."""

    def __init__(self, layers: Sequence[Watched], layout: Layout, room: Room) -> None:
        self._layers, self._layout, self._room = layers, layout, room
        device = layout.owner.device
        self._passage = Passage(layout, torch.zeros(layout.units, device=device))
        self._calls = [0] * len(layers)
        self._squares: dict[int, Tensor] = {}
        self._raw: list[tuple[Watched, Tensor, Tensor]] = []
        owners = [id(p) for layer in layers if not layer.fused for p in layer.parameters]
        self._shared = {key for key in owners if owners.count(key) > 1} if owners else set()
        self._undo = ExitStack()

    def __enter__(self) -> None:
        fused = {id(p) for layer in self._layers if layer.fused for p in layer.parameters}
        for number, layer in enumerate(self._layers):
            if layer.fused:
                assert isinstance(layer.module, FusedLoraLinear)
                layer.module.tap = partial(self._tapped, number)
                self._undo.callback(setattr, layer.module, "tap", None)
                counted = layer.module.register_forward_hook(partial(self._counted, number))
                self._undo.callback(counted.remove)
                continue
            for parameter in layer.parameters:
                # A fused layer is a node of the graph only while its factors ask for gradients.
                if id(parameter) not in fused:
                    parameter.requires_grad_(False)
                    self._undo.callback(parameter.requires_grad_, True)
            if isinstance(layer.rule, EmbeddingRule):
                widen = layer.module.register_forward_pre_hook(self._widen)
                self._undo.callback(widen.remove)
            hook = layer.module.register_forward_hook(partial(self._came, number), with_kwargs=True)
            self._undo.callback(hook.remove)

    def __exit__(self, *problem: Any) -> None:
        self._undo.close()

    def _widen(self, module: nn.Module, given: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
        """One row of positions for all texts becomes one row for each."""
        ids = given[0]
        if ids.shape[0] == 1 and self._layout.sequences > 1 and not self._layout.ragged(ids):
            return (ids.expand(self._layout.sequences, *ids.shape[1:]), *given[1:])
        return None

    def _came(
        self, number: int, module: nn.Module, args: tuple[Any, ...], named: Any, result: Any
    ) -> Any:
        layer = self._layers[number]
        inputs = [*args, *named.values()]
        if not (isinstance(result, Tensor) and inputs and isinstance(inputs[0], Tensor)):
            raise FixRecipe(
                f"gradients of single texts, layer {layer.place}",
                f"a {type(module).__name__} is not a layer of one input and one output",
                advice="train other layers: adapter.kind: lora",
            )
        if not torch.is_grad_enabled():
            return None
        self._calls[number] += 1
        given = inputs[0].detach()
        if not result.requires_grad:
            result.requires_grad_(True)
        result.register_hook(partial(self._went, number, given))
        return result

    def _went(self, number: int, given: Tensor, grad: Tensor) -> None:
        """The gradient of a layer's output arrived."""
        layer = self._layers[number]
        given = given.float() if given.is_floating_point() else given
        grad = grad.detach().float()
        self._passage.reached.update(map(id, layer.parameters))
        alone = self._calls[number] == 1 and not self._shared.intersection(
            map(id, layer.parameters)
        )
        if alone and _large(layer, given, grad):
            rule = layer.rule
            assert isinstance(rule, LinearRule | EmbeddingRule)
            self._passage.squares += rule.squares(
                layer.module, layer.names, given, grad, self._layout
            )
            self._passage.booked.append(Booked(layer, given, grad))
        else:
            # What runs the layer once more has to wait until nobody listens.
            self._raw.append((layer, given, grad))

    def _counted(self, number: int, module: nn.Module, args: Any, result: Any) -> None:
        self._calls[number] += torch.is_grad_enabled()

    def _tapped(
        self,
        number: int,
        flat: Tensor,
        small: Tensor,
        grad: Tensor,
        inner: Tensor,
        shape: torch.Size,
    ) -> None:
        layer = self._layers[number]
        module = layer.module
        assert isinstance(module, FusedLoraLinear)
        name = str(module.active_adapters[0])
        scale = float(module.scaling[name])
        # The scale goes into the small factors.
        given = (flat, small * scale, grad, inner * scale)
        wide = [t.detach().float().view(*shape[:-1], -1) for t in given]
        factors = {
            module.lora_A[name].weight: (wide[3], wide[0]),
            module.lora_B[name].weight: (wide[2], wide[1]),
        }
        for parameter, (left, right) in factors.items():
            into = None
            if self._calls[number] == 1 and self._layout.alone:
                sides = (self._layout.units, left.shape[-1], right.shape[-1])
                into = self._room.of(id(parameter), left, *sides)
            self._keep(parameter, products(layer.place, left, right, self._layout, into))

    def _keep(self, parameter: nn.Parameter, grads: Tensor) -> None:
        self._passage.parameters[id(parameter)] = parameter
        self._passage.reached.add(id(parameter))
        before = self._passage.kept.get(id(parameter))
        grads = grads if before is None else before.add_(grads)
        self._passage.kept[id(parameter)] = grads
        # At once, while the numbers are near; a second part of the same gradient does it again.
        self._squares[id(parameter)] = torch.linalg.vector_norm(grads.flatten(1), dim=1).square()

    def finish(self) -> Passage:
        """The passage, when the backward pass is over."""
        for layer, given, grad in self._raw:
            found = layer.rule.sums(layer.module, layer.names, given, grad, self._layout)
            for name, parameter in zip(layer.names, layer.parameters, strict=True):
                self._keep(parameter, found[name])
        self._raw.clear()
        self._layout.kept.clear()
        for squares in self._squares.values():
            self._passage.squares += squares
        return self._passage


def _large(layer: Watched, given: Tensor, grad: Tensor) -> bool:
    """Whether what the layer saw is smaller than the gradients of all its units."""
    if isinstance(layer.rule, EmbeddingRule):
        return True
    if not isinstance(layer.rule, LinearRule) or "weight" not in layer.names:
        return False
    tokens = given.shape[1] if given.ndim > 2 and given.shape[0] > 1 else 1
    wide = given.shape[-1] * grad.shape[-1]
    return tokens * (given.shape[-1] + grad.shape[-1]) < wide
