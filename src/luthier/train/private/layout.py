"""Which numbers of a tensor belong to which unit, padded or laid end to end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from luthier.core.errors import FixRecipe
from luthier.data.feed.batch import Batch
from luthier.models.network import Network
from luthier.models.unpadded import rows_without_padding

Block = tuple[Tensor, tuple[Tensor, ...]]
"""Units (n,) of n sequences of equal length L, and their parts (n, L, ...) of some tensors."""


@dataclass
class Layout:
    """`owner` is the unit (B,) of each sequence of a batch, `units` how many there are.

    With `runs`, tensors (1, S, ...) hold the sequences of the batch end to end: runs of `count`
    sequences of `length` tokens, in the `order` of the batch. `alone` says that every sequence
    is a unit of its own. `kept` holds what several layers with one input share.
    """

    owner: Tensor
    units: int
    runs: tuple[tuple[int, int], ...] = ()
    order: Tensor | None = None
    alone: bool = True
    kept: dict[int, tuple[Tensor, list[Tensor]]] = field(default_factory=dict)

    @property
    def sequences(self) -> int:
        """Sequences of the batch."""
        return len(self.owner)

    @property
    def tokens(self) -> int:
        """Tokens of all runs."""
        return sum(count * length for count, length in self.runs)

    def ragged(self, tensor: Tensor) -> bool:
        """Whether this tensor holds the sequences end to end."""
        return bool(self.runs) and tensor.shape[:2] == (1, self.tokens)

    def blocks(self, place: str, *tensors: Tensor) -> Iterator[Block]:
        """The tensors cut by sequences of one length; all of them are laid out alike.

        Raises: FixRecipe for a tensor whose first side is not the sequences of the batch.
        """
        if all(self.ragged(t) for t in tensors):
            assert self.order is not None
            at = row = 0
            for count, length in self.runs:
                stop = at + count * length
                parts = tuple(t[0, at:stop].unflatten(0, (count, length)) for t in tensors)
                yield self.owner[self.order[row : row + count]], parts
                at, row = stop, row + count
            return
        for tensor in tensors:
            if tensor.shape[0] != self.sequences:
                raise FixRecipe(
                    f"safety.privacy, layer {place}",
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

    def sum_up(self, into: Tensor | None, owner: Tensor, part: Tensor) -> Tensor:
        """Adds the parts (n, ...) of n sequences to the sums (U, ...) of their units."""
        if self.alone and len(part) == self.units:
            return part
        if into is None:
            into = part.new_zeros(self.units, *part.shape[1:])
        if not self.alone:
            return into.index_add_(0, owner, part)
        into[owner] = part
        return into


def layout_of(network: Network, batch: Batch, unit_of: NDArray[np.int64] | None) -> Layout:
    """The layout of a batch; `unit_of` gives the unit of each row of the table.

    Rows are told apart by their place in the table: two examples of one row are one unit.

    Raises: FixRecipe for a packed batch.
    """
    if batch.segments is not None:
        raise FixRecipe(
            "fast.pack",
            "in a private run no two units may share a sequence",
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
    rows_found = rows_without_padding(network.backbone, batch.mask)
    if rows_found is not None:
        found.runs, found.order = rows_found.runs, rows_found.order
    return found
