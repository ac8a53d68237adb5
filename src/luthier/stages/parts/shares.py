"""Where a base is loaded, and how it comes to the device: whole, or in parts."""

from __future__ import annotations

from dataclasses import replace

import psutil
import torch

from luthier.models.base import Base
from luthier.models.network import Network
from luthier.recipe.recipe import Recipe
from luthier.stages.forecast.sharing import Crowd
from luthier.train.sharded import shard, why_uncut
from luthier.train.world import World


def first_place(recipe: Recipe, device: str) -> str:
    """Where to load the base: in main memory while it may yet be cut, else on the device."""
    quantised = recipe.model.quantize != "none"
    alone = World.join().size == 1 or recipe.fast.shard == "off" or quantised
    return device if alone else "cpu"


def crowd_of(network: Network) -> Crowd:
    """The processes of this run and what is free for each; all say the same."""
    world = World.join()
    if world.size == 1:
        return Crowd()
    weights = sum(p.numel() * p.element_size() for p in network.parameters())
    if torch.cuda.is_available():
        free = float(torch.cuda.mem_get_info()[0])
    else:
        # Each process has loaded the weights already, and they are not counted as free.
        free = psutil.virtual_memory().available / world.neighbours + weights
    return Crowd(world.size, -world.largest(-free), why_uncut(network))


def settle(base: Base, network: Network, device: str, in_parts: bool) -> Base:
    """The base on its device: its own part of every parameter, or all of them."""
    if in_parts:
        shard(network, World.join())
    elif base.spec.device != device:
        network.to(device)
    return replace(base, spec=replace(base.spec, device=device))
