"""A tuned classifier as an attacker meets it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from luthier.core.types import Task
from luthier.data.feed.batch import Batch
from luthier.data.feed.batches import BatchPlan, collate, sequential
from luthier.data.feed.contract import PromptContract
from luthier.data.feed.encode import Encoded
from luthier.data.feed.example import Example, encode_texts
from luthier.data.feed.ragged import Ragged
from luthier.models.head import Head
from luthier.models.network import Network
from luthier.safety.attack import Scores, Slopes
from luthier.safety.objectives.ascent import Disturbance, ascend

PASS_ROWS = 64
REMEMBERED = 20_000
"""Texts whose answers are remembered, by what the model reads of them."""


def _as_it_is(text: str) -> str:
    return text


@dataclass
class NetworkVictim:
    """A network, its head and everything that happens to a text before it."""

    network: Network
    head: Head
    contract: PromptContract
    pad_id: int
    before: Callable[[str], str] = _as_it_is
    scored: int = field(default=0, init=False)
    _answers: dict[bytes, Any] = field(default_factory=dict, init=False)

    def scores(self, texts: Sequence[str]) -> Scores:
        """Probabilities (B, C).

        Texts that the model reads alike, as those whose invisible signs a defence takes out, are
        scored once; each still counts as a query. The weights may not change meanwhile.
        """
        examples = encode_texts([self.before(t) for t in texts], self.contract, False)
        keys = [np.asarray(one.ids[0]).tobytes() for one in examples]
        pairs = list(zip(keys, examples, strict=True))
        new = {key: one for key, one in pairs if key not in self._answers}
        if len(self._answers) + len(new) > REMEMBERED:
            self._answers.clear()
            new = dict(pairs)
        self.network.mode(False, False)
        order = list(new)
        for places, batch in self._collated(list(new.values()), None):
            with torch.no_grad():
                part = self.head.scores(self.network, batch)
            for place, row in zip(places, part, strict=True):
                self._answers[order[int(place)]] = row
        self.scored += len(texts)
        return np.stack([self._answers[key] for key in keys])

    def vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """One pooled vector per text (B, D)."""
        found: list[Any] = [None] * len(texts)
        self.network.mode(False, False)
        for places, batch in self._batches(texts, None):
            with torch.no_grad():
                part = self.network.pooled(batch).float().cpu().numpy()
            for place, row in zip(places, part, strict=True):
                found[int(place)] = row
        return np.stack(found)

    @property
    def embeddings(self) -> NDArray[np.float32]:
        """Input embeddings (V, D)."""
        weight: Tensor = self.network.backbone.get_input_embeddings().weight
        return weight.detach().float().cpu().numpy()

    def slopes(self, text: str, truth: int) -> Slopes:
        """The gradient of the loss along the input embeddings of one text."""
        self.network.mode(False, False)
        ((_, batch),) = self._batches([text], [truth])
        kept: list[Tensor] = []

        def keep(module: Any, given: Any, out: Tensor) -> Tensor:
            kept.append(out.detach().requires_grad_(True))
            return kept[-1]

        handle = self.network.backbone.get_input_embeddings().register_forward_hook(keep)
        try:
            loss = self.head.losses(self.network, batch).total
        finally:
            handle.remove()
        (gradient,) = torch.autograd.grad(loss, kept[0])
        example = encode_texts([self.before(text)], self.contract)[0]
        return Slopes(
            np.asarray(example.ids[0], np.int64),
            np.asarray(example.offsets, np.int64).reshape(-1, 2),
            gradient[0].float().cpu().numpy(),
        )

    def shifted(
        self, texts: Sequence[str], truths: Sequence[int], radius: float, steps: int
    ) -> Scores:
        """Scores (B, C) under the worst disturbance found of what enters the first layer."""
        found: list[Any] = [None] * len(texts)
        self.network.mode(False, False)
        for places, batch in self._batches(texts, truths):
            how = Disturbance(radius=radius, steps=steps, layers=(0,))
            shift = ascend(self.head.losses, self.network, batch, how)
            with torch.no_grad(), shift.applied(self.network, batch):
                part = self.head.scores(self.network, batch)
            for place, row in zip(places, part, strict=True):
                found[int(place)] = row
        return np.stack(found)

    def _batches(
        self, texts: Sequence[str], truths: Sequence[int] | None
    ) -> list[tuple[NDArray[np.int64], Batch]]:
        examples = encode_texts([self.before(t) for t in texts], self.contract, False)
        return self._collated(examples, truths)

    def _collated(
        self, examples: Sequence[Example], truths: Sequence[int] | None
    ) -> list[tuple[NDArray[np.int64], Batch]]:
        encoded = _encoded(examples, truths)
        plan = BatchPlan(PASS_ROWS, 0, self.pad_id)
        device = str(next(self.network.parameters()).device)
        parts = sequential(encoded, np.arange(len(examples)), plan, PASS_ROWS)
        return [(part, collate(encoded, part, plan).to(device)) for part in parts]


def _encoded(examples: Sequence[Example], truths: Sequence[int] | None) -> Encoded:
    return Encoded(
        task=Task.CLASSIFY,
        ids=Ragged.pack((e.ids[0] for e in examples), "int32"),
        rows=np.arange(len(examples)),
        weights=np.ones(len(examples), np.float32),
        targets=None if truths is None else np.asarray(truths, np.int64),
    )
