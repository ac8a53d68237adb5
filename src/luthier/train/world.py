"""Several processes that train one state together, as torchrun starts them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor

from luthier.core.errors import CheckRun, FixRecipe


@dataclass(frozen=True)
class World:
    """This process's place among all; one process alone by default.

    `neighbours` counts the processes of this machine. What is said to be the same everywhere has
    to be called by every process, in the same order.
    """

    rank: int = 0
    size: int = 1
    neighbours: int = 1

    @staticmethod
    def join() -> World:
        """The group torchrun describes in the environment, joined once; alone without one.

        Raises: FixRecipe for more processes on this machine than it has devices.
        """
        size = int(os.environ.get("WORLD_SIZE", "1"))
        if size == 1:
            return World()
        neighbours = int(os.environ.get("LOCAL_WORLD_SIZE", str(size)))
        if not dist.is_initialized():
            if torch.cuda.is_available():
                _take_device(neighbours)
            dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
        return World(dist.get_rank(), dist.get_world_size(), neighbours)

    @property
    def first(self) -> bool:
        """Whether this process writes files and speaks."""
        return self.rank == 0

    @property
    def device(self) -> str:
        """Where messages between processes have to lie."""
        return "cuda" if torch.cuda.is_available() else "cpu"

    def add_up(self, tensors: Iterable[Tensor]) -> None:
        """Every tensor becomes the sum over all processes; one message for all of them."""
        if self.size == 1:
            return
        parts = list(tensors)
        flat = torch.cat([t.reshape(-1) for t in parts])
        dist.all_reduce(flat)
        at = 0
        for part in parts:
            part.copy_(flat[at : at + part.numel()].view_as(part))
            at += part.numel()

    def largest(self, value: float) -> float:
        """The largest of all processes' values, the same everywhere."""
        if self.size == 1:
            return value
        message = torch.tensor([value], dtype=torch.float64, device=self.device)
        dist.all_reduce(message, dist.ReduceOp.MAX)
        return float(message)

    def any(self, value: bool) -> bool:
        """Whether it is so in any process, the same everywhere."""
        return self.largest(float(value)) > 0

    def spread(self, tensor: Tensor) -> Tensor:
        """The first process's tensor, put into `tensor` everywhere."""
        if self.size > 1:
            dist.broadcast(tensor, 0)
        return tensor

    def tell(self, text: str) -> str:
        """The first process's text, the same everywhere."""
        if self.size == 1:
            return text
        given = text.encode() if self.first else b""
        length = self.spread(torch.tensor([len(given)], device=self.device))
        message = torch.zeros(int(length), dtype=torch.uint8, device=self.device)
        if self.first and given:
            message.copy_(torch.frombuffer(bytearray(given), dtype=torch.uint8))
        return bytes(self.spread(message).cpu().numpy()).decode()

    def write(self, place: Path, work: Callable[[], None]) -> None:
        """Lets the first process write; returns, or raises, in every process together.

        Raises: what `work` raises, in the first process; CheckRun in the others.
        """
        if self.size == 1:
            work()
            return
        failure: Exception | None = None
        if self.first:
            try:
                work()
            except Exception as error:
                failure = error
        failed = self.any(failure is not None)
        if failure is not None:
            raise failure
        if failed:
            raise CheckRun(
                str(place),
                "the first process could not write it",
                advice="its own message says why",
            )


def _take_device(neighbours: int) -> None:
    """Gives each process of this machine a device of its own."""
    count = torch.cuda.device_count()
    if neighbours > count:
        raise FixRecipe(
            "torchrun",
            f"{neighbours} processes were started on a machine with {count} devices",
            "one process per device",
            f"set --nproc-per-node {count}",
        )
    torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
