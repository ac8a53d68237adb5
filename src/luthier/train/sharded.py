"""A network whose parameters are held in parts, one part per process.

Every layer is a unit: its parameters are brought together just before it runs and let go after.
What is left, embeddings and output layers, is one more unit. A process therefore holds its share
of everything and, for a moment, one unit whole.

Source: Rajbhandari et al. 2020, "ZeRO", section 5.3; the machinery is torch's `fully_shard`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from luthier.models.network import Network
from luthier.train.world import World


class _Root(nn.Module):
    """The outermost unit: whatever runs inside its forward pass finds embeddings and output
    layers whole, however the work reaches them."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, work: Callable[[], Any]) -> Any:
        """The result of the work."""
        return work()


class _Entrance:
    """Runs work inside the root, and nested work as it is."""

    def __init__(self, root: nn.Module) -> None:
        self._root, self._inside = root, False

    def __call__(self, work: Callable[[], Any], /) -> Any:
        if self._inside:
            return work()
        self._inside = True
        try:
            return self._root(work)
        finally:
            self._inside = False


def shard(network: Network, world: World) -> None:
    """Cuts every parameter among the processes and moves the parts to the device.

    Gradients are summed over the processes, not averaged. The network has to lie in memory whole
    before; each unit is cut in turn, so a device never holds more than its share and one unit.
    """
    mesh = init_device_mesh(world.device, (world.size,))
    root = _Root(network)
    units = [*network.backbone.get_submodule(network.stack.path), root]
    for unit in units:
        # The root too is let go after its forward pass, or its parameters would be stale copies
        # whenever the parts are changed between two passes.
        fully_shard(unit, mesh=mesh, reshard_after_forward=True)
    for unit in units:
        assert isinstance(unit, FSDPModule)
        unit.set_gradient_divide_factor(1.0)
        unit.set_force_sum_reduction_for_comms(True)
    network.enter_by(_Entrance(root))


def why_uncut(network: Network) -> str | None:
    """Why the parameters of this network cannot be held in parts, or None when they can."""
    owners: dict[int, str] = {}
    for number, layer in enumerate(network.backbone.get_submodule(network.stack.path)):
        for parameter in layer.parameters():
            if owners.setdefault(id(parameter), f"layer {number}") != f"layer {number}":
                return "its layers share parameters"
    inside = f"{network.stack.path}."
    for name, parameter in network.named_parameters(remove_duplicate=False):
        if parameter.ndim == 0:
            return f"the parameter {name} is a single number"
        if not parameter.is_floating_point():
            return f"the parameter {name} is held in {str(parameter.dtype).removeprefix('torch.')}"
        if id(parameter) in owners and inside not in name:
            return f"the parameter {name} belongs to a layer too"
    return None


def most_at_once(network: Network) -> int:
    """Bytes of the largest unit, which a process holds whole for a moment."""
    layers = network.backbone.get_submodule(network.stack.path)
    sizes = [sum(p.numel() * p.element_size() for p in layer.parameters()) for layer in layers]
    total = sum(p.numel() * p.element_size() for p in network.parameters())
    return int(max(*sizes, total - sum(sizes)))


def own(tensor: Tensor) -> Tensor:
    """This process's part of a tensor; all of it when it is held whole."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def whole(tensor: Tensor) -> Tensor:
    """The tensor brought together; every process has to call it."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def gather(tensors: Mapping[str, Tensor], world: World) -> dict[str, Tensor]:
    """Whole tensors in the memory of the first process, one after the other; nothing elsewhere.

    Tensors that are one and the same stay so.
    """
    kept: dict[str, Tensor] = {}
    known: dict[int, Tensor] = {}
    for name, tensor in tensors.items():
        if id(tensor) not in known:
            together = whole(tensor.detach())
            known[id(tensor)] = together.contiguous().cpu() if world.first else tensor
        if world.first:
            kept[name] = known[id(tensor)]
    return kept


@torch.no_grad()
def fill(target: Tensor, value: Tensor | None, world: World) -> None:
    """Puts the first process's whole `value` into `target`, which may be held in parts."""
    if not isinstance(target, DTensor):
        if value is not None:
            target.copy_(value)
        if world.size > 1:
            world.spread(target.detach())
        return
    device = own(target).device
    given = torch.empty(target.shape, dtype=target.dtype, device=device)
    if world.first:
        assert value is not None
        given.copy_(value)
    target.copy_(distribute_tensor(given, target.device_mesh, target.placements))


def state_of(module: nn.Module) -> dict[str, Tensor]:
    """Parameters and kept buffers by name; those that are one and the same stay so."""
    named: dict[str, Tensor] = dict(module.named_parameters(remove_duplicate=False))
    kept = {n: t for n, t in module.state_dict().items() if n not in named}
    return named | kept
