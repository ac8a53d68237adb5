"""Memory for the gradients of single units, which one pass after the other writes into."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from torch import Tensor


@dataclass
class Room:
    """A piece of memory for each key, as large as was ever asked for it.

    New memory of this size comes from the system page by page and emptied, which takes longer than
    the products that are written into it.
    """

    _held: dict[object, Tensor] = field(default_factory=dict)

    def of(self, key: object, like: Tensor, *shape: int) -> Tensor:
        """A tensor of this shape, with the format and the device of `like` and whatever numbers lie
        there; what was given for this key before is overwritten."""
        size = math.prod(shape)
        held = self._held.get(key)
        if held is None or held.numel() < size or held.dtype != like.dtype:
            # The old piece goes first: both together would be needless.
            self._held.pop(key, None)
            held = self._held[key] = like.new_empty(size)
        return held[:size].view(shape)
