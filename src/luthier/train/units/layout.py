"""Which numbers of a tensor belong to which unit, padded or laid end to end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from luthier.core.errors import FixRecipe
from luthier.data.feed.batch import Batch
from luthier.models.network import Network
from luthier.models.unpadded import rows_without_padding

Block = tuple[Tensor | slice, tuple[Tensor, ...]]
"""Units of n sequences of equal length L, and their parts (n, L, ...) of some tensors."""


@dataclass
class Layout:
    """`owner` is the unit (B,) of each sequence of a batch, `units` how many there are.

    With `runs`, tensors (1, S, ...) hold the sequences of the batch end to end, in the `order` of
    the batch: runs of `count` sequences of `length` tokens. `alone` says that every sequence is a
    unit of its own; units are then numbered in that order. `kept` holds what several layers with
    one input share.
    """

    owner: Tensor
    units: int
    runs: tuple[tuple[int, int], ...] = ()
    order: Tensor | None = None
    alone: bool = True
    kept: dict[tuple[Any, ...], tuple[Tensor, list[Tensor]]] = field(default_factory=dict)

    @cached_property
    def tokens(self) -> list[int]:
        """Tokens of each run."""
        return [count * length for count, length in self.runs]

    @property
    def sequences(self) -> int:
        """Sequences of the batch."""
        return len(self.owner)

    def ragged(self, tensor: Tensor) -> bool:
        """Whether this tensor holds the sequences end to end."""
        return bool(self.runs) and tensor.shape[:2] == (1, sum(self.tokens))

    def blocks(self, place: str, *tensors: Tensor) -> Iterator[Block]:
        """The tensors cut by sequences of one length; all of them are laid out alike.

        Raises: FixRecipe for a tensor whose first side is not the sequences of the batch.
        """
        if all(self.ragged(t) for t in tensors):
            assert self.order is not None
            parts = zip(*(t[0].split(self.tokens) for t in tensors), strict=True)
            row = 0
            for (count, length), part in zip(self.runs, parts, strict=True):
                cut = tuple(p.view(count, length, *p.shape[1:]) for p in part)
                here = slice(row, row + count)
                yield here if self.alone else self.owner[self.order[here]], cut
                row += count
            return
        for tensor in tensors:
            if tensor.shape[0] != self.sequences:
                raise FixRecipe(
                    f"gradients of single texts, layer {place}",
                    f"its input has the shape {tuple(tensor.shape)} for {self.sequences} texts, so "
                    "nobody knows which part belongs to which text",
                    advice="train other layers: adapter.kind: lora",
                )
        yield self.owner, tensors

    def spread(self, by_unit: Tensor, like: Tensor) -> Tensor:
        """A number per unit (U,), laid out so that it multiplies `like`."""
        by_sequence = by_unit[self.owner]
        if self.ragged(like):
            assert self.order is not None
            counts = [length for count, length in self.runs for _ in range(count)]
            repeats = torch.tensor(counts, device=by_unit.device)
            by_token = by_sequence[self.order].repeat_interleave(repeats)
            return by_token.view(1, -1, *[1] * (like.ndim - 2))
        return by_sequence.view(-1, *[1] * (like.ndim - 1))

    def sum_up(self, into: Tensor | None, owner: Tensor | slice, part: Tensor) -> Tensor:
        """Adds the parts (n, ...) of n sequences to the sums (U, ...) of their units."""
        if self.alone and not self.runs:
            return part
        if into is None:
            into = part.new_zeros(self.units, *part.shape[1:])
        if isinstance(owner, slice) or self.alone:
            into[owner] = part
            return into
        return into.index_add_(0, owner, part)


def layout_of(network: Network, batch: Batch, unit_of: NDArray[np.int64] | None) -> Layout:
    """The layout of a batch; `unit_of` gives the unit of each row of the table.

    Rows are told apart by their place in the table: two examples of one row are one unit.

    Raises: FixRecipe for a packed batch.
    """
    if batch.segments is not None:
        raise FixRecipe(
            "fast.pack",
            "where gradients of single texts are asked for, no two may share a sequence",
            advice="set fast.pack: off",
        )
    rows = batch.rows.cpu().numpy()
    names = rows if unit_of is None else unit_of[rows]
    known, place = np.unique(names, return_inverse=True)
    sides = len(batch.ids) // len(rows)
    if len(known) == len(rows):
        # In the order of the batch, so that nothing has to be moved.
        place = np.arange(len(rows))
    owner = torch.from_numpy(np.repeat(place, sides)).to(batch.ids.device)
    found = Layout(owner, len(known), alone=len(known) == len(batch.ids))
    laid = rows_without_padding(network.backbone, batch.mask)
    if laid is not None:
        found.runs, found.order = laid.runs, laid.order
        if found.alone:
            found.owner = torch.argsort(laid.order)
    return found
