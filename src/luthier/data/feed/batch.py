"""What the model is given: one micro-batch, and the logical batch it belongs to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """Rows of one forward pass.

    `rows` are table indices (B,); `weights` say how much each row's mean loss counts, supervised
    tokens included (B,). `learn` marks supervised tokens. In a packed batch several rows share a
    sequence: `segments` holds the row's place in `rows` per token (-1 for none) and `positions`
    restart with each row. `hidden` are the outputs of the frozen prefix, when it was run before.
    """

    ids: Int[Tensor, "B T"]
    mask: Int[Tensor, "B T"] | None
    rows: Int[Tensor, " N"]
    weights: Float[Tensor, " N"]
    targets: Tensor | None = None
    learn: Int[Tensor, "B T"] | None = None
    positions: Int[Tensor, "B T"] | None = None
    segments: Int[Tensor, "B T"] | None = None
    hidden: Float[Tensor, "B T D"] | None = None
    reference: Float[Tensor, " N"] | None = None

    def to(self, device: str) -> Batch:
        """The batch on `device`."""
        if device == "cpu":
            return self
        moved = {
            name: value.to(device, non_blocking=True)
            for name, value in vars(self).items()
            if isinstance(value, Tensor)
        }
        return replace(self, **moved)


@dataclass(frozen=True)
class LogicalBatch:
    """The rows of one update, cut into micro-batches only for memory and padding.

    `spare` is a row of weight zero, for a process that has fewer micro-batches than another and
    must keep step with it.
    """

    micro: tuple[Batch, ...]
    weight: float
    spare: Batch | None = None

    def __iter__(self) -> Iterator[Batch]:
        return iter(self.micro)

    @property
    def size(self) -> int:
        """Rows in the batch."""
        return sum(len(m.rows) for m in self.micro)

    @property
    def tokens(self) -> int:
        """Real tokens in the batch, padding not counted."""
        return sum(_real_tokens(m) for m in self.micro)


def _real_tokens(batch: Batch) -> int:
    if batch.segments is not None:
        return int((batch.segments >= 0).sum())
    return int(batch.mask.sum()) if batch.mask is not None else batch.ids.numel()
