"""Secret random numbers: which units a step draws, and its noise."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from luthier.train.world import World


def secret(step: int) -> bytes:
    """256 fresh bits of the operating system, whatever the step."""
    return os.urandom(32)


@dataclass
class Chance:
    """Random numbers of one private step after the other.

    Each step has a key of its own, which nobody stores: the draw and the noise of a step that is
    repeated are others. All processes follow the first one's key. Tests give a `key` that is a
    function of the step.
    """

    world: World = field(default_factory=World)
    key: Callable[[int], bytes] = secret
    _key: bytes | None = None

    def draw(self, step: int) -> np.random.Generator:
        """The generator that chooses the units of a step; the same in every process."""
        mine = self.key(step).hex() if self.world.first else ""
        self._key = bytes.fromhex(self.world.tell(mine))
        return self._generator(b"draw")

    def noise(self) -> np.random.Generator:
        """The generator of the noise of the step that was drawn last; it is given once.

        Raises: RuntimeError when no step was drawn since.
        """
        generator = self._generator(b"noise")
        self._key = None
        return generator

    def _generator(self, purpose: bytes) -> np.random.Generator:
        if self._key is None:
            raise RuntimeError("no step was drawn: the same noise would be used twice")
        digest = hashlib.sha256(purpose + self._key).digest()
        return np.random.Generator(np.random.Philox(key=int.from_bytes(digest[:16], "big")))
