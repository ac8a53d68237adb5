"""An encoder as an earlier training left it, on a base that is shared with others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from luthier.core.seeds import derive
from luthier.fewshot.rung import Asked
from luthier.fewshot.tuning.encoder import vectors_of
from luthier.models.adapter import Adapter, AdapterSite
from luthier.models.adapters.build import build_adapter
from luthier.models.base import Base, stated_pooling
from luthier.models.layers import find_stack
from luthier.models.network import Network
from luthier.recipe.model import Ia3, Lora


@dataclass(eq=False)
class Left:
    """The base with the adapter that the run `name` trained; each text is read once."""

    name: str
    base: Base
    pad_id: int
    section: Lora | Ia3
    """The adapter as the run's recipe has it."""
    weights: Mapping[str, Tensor]
    """Its tensors by their names in PEFT's files."""
    _kept: dict[bytes, NDArray[np.float64]] = field(default_factory=dict)

    @property
    def adapter(self) -> Adapter:
        """The adapter, not yet attached."""
        return build_adapter(self.section)

    def read(self, asked: Asked) -> Asked:
        """The same texts with this encoder's vectors."""
        if not len(asked):
            return asked
        assert asked.tokens is not None
        keys = [np.asarray(t, np.int32).tobytes() for t in asked.tokens]
        first = {key: place for place, key in reversed(list(enumerate(keys)))}
        places = np.asarray([p for key, p in first.items() if key not in self._kept], np.int64)
        if len(places):
            self._read(asked.take(places), [keys[int(p)] for p in places])
        return replace(asked, vectors=np.stack([self._kept[key] for key in keys]))

    def network(self) -> Network:
        """The base with the adapter, for good."""
        from peft import set_peft_model_state_dict

        backbone, seed = self.base.network, derive(0, "adapter")
        site = AdapterSite(backbone, backbone, "", find_stack(backbone), False, seed)
        network = Network(self.adapter.attach(site), None, stated_pooling(self.base), "encoder")
        set_peft_model_state_dict(network.model, dict(self.weights))  # type: ignore[no-untyped-call]
        return network

    def _read(self, fresh: Asked, keys: list[bytes]) -> None:
        network = self.network()
        try:
            found = vectors_of(network, fresh, self.base, self.pad_id)
        finally:
            network.model.unload()  # type: ignore[operator]
            self.base.network.requires_grad_(False)
        self._kept |= dict(zip(keys, found, strict=True))
