"""How likely a model that writes finds class names after a text, and a text after them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from luthier.data.feed.batch import Batch
from luthier.evaluate.predictions import FloatArray
from luthier.models.heads.language import plain_unembedding, token_nll
from luthier.models.losses import sum_by_row
from luthier.models.network import Network

ASKING, TELLING = "\nLabel:", "Label:"
BLANKS = ("", "N/A", "...")
"""Texts that say nothing: what is answered to them is the model's habit."""
TOKENS_PER_PASS = 8192

Sequence_ = tuple[list[int], int]
"""Tokens, and how many at the end are scored."""


@dataclass(frozen=True)
class Wording:
    """The names of C classes as tokens, and the frames that stand around them.

    Source: Min et al. 2022, "Noisy Channel Language Model Prompting", section 3 (both ways).
    """

    asking: tuple[int, ...]
    telling: tuple[int, ...]
    names: tuple[tuple[int, ...], ...]
    first: int | None
    pad: int
    longest: int

    @classmethod
    def of(cls, tokenizer: Any, names: Sequence[str], longest: int) -> Wording:
        """For the tokenizer of a model that reads `longest` tokens, and classes in words."""

        def ids(text: str) -> tuple[int, ...]:
            return tuple(tokenizer(text, add_special_tokens=False)["input_ids"])

        pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else 0
        told = tuple(ids(f" {name}") for name in names)
        return cls(ids(ASKING), ids(TELLING), told, tokenizer.bos_token_id, int(pad), longest)

    def scores(self, network: Network, texts: Sequence[Sequence[int]]) -> FloatArray:
        """Log-likelihoods (N, 2, C) in nats: of a class's name after the text, per token, and of
        the text after the name, summed. Of a text too long for both, the beginning is read."""
        room = self.longest - len(self.asking) - len(self.telling) - max(map(len, self.names)) - 2
        cut = [self._bare(text)[: max(1, room)] for text in texts]
        sequences = [self._after(text, name) for text in cut for name in self.names]
        sequences += [self._before(text, name) for text in cut for name in self.names]
        found = _likelihoods(network, sequences, self.pad)
        shape = (2, len(texts), len(self.names))
        lengths = np.asarray([count for _, count in sequences], np.float64).reshape(shape)
        both = found.reshape(shape)
        both[0] /= lengths[0]
        return np.ascontiguousarray(both.transpose(1, 0, 2))

    def _bare(self, text: Sequence[int]) -> list[int]:
        ids = [int(i) for i in text]
        return ids[1:] if ids[:1] == [self.first] else ids

    @property
    def _start(self) -> list[int]:
        return [] if self.first is None else [self.first]

    def _after(self, text: list[int], name: tuple[int, ...]) -> Sequence_:
        return [*self._start, *text, *self.asking, *name], len(name)

    def _before(self, text: list[int], name: tuple[int, ...]) -> Sequence_:
        return [*self._start, *self.telling, *name, *text], len(text)


def _likelihoods(network: Network, sequences: Sequence[Sequence_], pad: int) -> FloatArray:
    """Summed log-likelihood (S,) of the last tokens of each sequence."""
    found = np.zeros(len(sequences))
    order = np.argsort([len(ids) for ids, _ in sequences], kind="stable")
    device = str(next(network.parameters()).device)
    start = 0
    with torch.no_grad():
        while start < len(order):
            longest, stop = 0, start
            while stop < len(order):
                longest = max(longest, len(sequences[int(order[stop])][0]))
                if stop > start and longest * (stop - start + 1) > TOKENS_PER_PASS:
                    break
                stop += 1
            part = order[start:stop]
            batch = _batch([sequences[int(i)] for i in part], pad).to(device)
            found[part] = network.run(partial(_scored, network, batch)).double().cpu().numpy()
            start = stop
    return found


def _scored(network: Network, batch: Batch) -> Tensor:
    nll, owner = token_nll(network, batch, plain_unembedding(network) is None)
    return -sum_by_row(nll.float(), owner, len(batch.ids))


def _batch(parts: Sequence[Sequence_], pad: int) -> Batch:
    longest = max(len(ids) for ids, _ in parts)
    ids = torch.full((len(parts), longest), pad)
    mask, learn = torch.zeros_like(ids), torch.zeros_like(ids)
    for place, (own, count) in enumerate(parts):
        ids[place, : len(own)] = torch.tensor(own)
        mask[place, : len(own)] = 1
        learn[place, len(own) - count : len(own)] = 1
    rows = torch.arange(len(parts))
    return Batch(ids=ids, mask=mask, rows=rows, weights=torch.ones(len(parts)), learn=learn)
