"""How likely texts are to a causal language model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from luthier.models.base import Base

_ROWS = 32


class Likelihood:
    """Mean nats per token of texts under the base `base`, reading at most `most` tokens."""

    def __init__(self, base: Base, most: int = 64) -> None:
        self._base = base
        self._most = min(most, base.longest_input)

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Mean nats per token (N,), in order; 0 for texts without a second token."""
        ids = [self._ids(text) for text in texts]
        order = sorted(range(len(ids)), key=lambda i: len(ids[i]))
        found = np.zeros(len(ids))
        for start in range(0, len(order), _ROWS):
            part = order[start : start + _ROWS]
            found[part] = self._block([ids[i] for i in part])
        return found

    def _ids(self, text: str) -> list[int]:
        tokenizer = self._base.tokenizer
        start = tokenizer.bos_token_id
        said = list(tokenizer(text, add_special_tokens=False)["input_ids"])
        return ([] if start is None else [int(start)]) + said[: self._most - 1]

    def _block(self, rows: list[list[int]]) -> NDArray[np.float64]:
        longest = max(2, *map(len, rows))
        ids = torch.zeros((len(rows), longest), dtype=torch.long)
        mask = torch.zeros_like(ids)
        for line, row in enumerate(rows):
            ids[line, : len(row)] = torch.tensor(row, dtype=torch.long)
            mask[line, : len(row)] = 1
        network: Any = self._base.network
        device = next(network.parameters()).device
        with torch.no_grad():
            logits = network(input_ids=ids.to(device), attention_mask=mask.to(device)).logits
        scores = torch.log_softmax(logits[:, :-1].float().cpu(), -1)
        nats = -scores.gather(2, ids[:, 1:, None])[..., 0] * mask[:, 1:]
        return np.asarray((nats.sum(1) / mask[:, 1:].sum(1).clamp(min=1)).double())
