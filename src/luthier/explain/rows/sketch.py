"""Gradients folded to a few numbers whose products stay what they were, on average."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor, nn

from luthier.core.seeds import derive

WIDTH = 512
"""Numbers that are kept of a gradient: 2 kB."""


@dataclass
class Sketch:
    """Every number of a gradient gets a random sign and a random place among `width`.

    Products of two sketches are those of the gradients, with an error of their lengths divided by
    the root of `width`. Each place gets equally many numbers of a parameter. Only the order and
    the signs are held, no matrix. The same seed and names give the same sketch.

    Source: Charikar, Chen and Farach-Colton 2002, "Finding Frequent Items in Data Streams",
    section 3; Weinberger et al. 2009, "Feature Hashing for Large Scale Multitask Learning".
    """

    seed: int
    width: int = WIDTH
    _drawn: dict[str, tuple[Tensor, Tensor]] = field(default_factory=dict, repr=False)

    def of(
        self, names: dict[int, str], grads: Iterable[tuple[nn.Parameter, Tensor]], units: int
    ) -> Float[Tensor, "U K"]:
        """The sketch of each unit's gradient; `names` gives each parameter's by its id."""
        found = torch.zeros(units, self.width)
        for parameter, part in grads:
            found += self._folded(names[id(parameter)], part.flatten(1)).cpu()
        return found

    def _folded(self, name: str, flat: Tensor) -> Tensor:
        units, size = flat.shape
        if name not in self._drawn:
            self._drawn[name] = self._draw(name, size)
        order, signs = (t.to(flat.device) for t in self._drawn[name])
        padded = flat.new_zeros(units, len(order))
        padded[:, :size] = flat * signs
        return padded[:, order].view(units, -1, self.width).sum(1)

    def _draw(self, name: str, size: int) -> tuple[Tensor, Tensor]:
        dice = torch.Generator().manual_seed(derive(self.seed, "sketch", name))
        room = -(-size // self.width) * self.width
        signs = torch.randint(0, 2, (size,), generator=dice).float() * 2 - 1
        return torch.randperm(room, generator=dice), signs
