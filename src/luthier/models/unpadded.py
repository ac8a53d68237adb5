"""Encoders run without padding: rows laid end to end, attention inside each row."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

_NAME = "rows_end_to_end"
# Where the first token of a row sits in the position table, by type of model.
_AFTER_PADDING = ("roberta", "xlm-roberta", "camembert")
_FROM_ZERO = ("bert", "electra")


@dataclass(frozen=True)
class Rows:
    """Where the real tokens of a padded batch are, shorter rows first.

    `places` are their flat places in the batch (S,), `positions` their places in their own row
    (S,), `runs` how many rows of which length follow each other, `order` which rows they are (B,).
    """

    places: Tensor
    positions: Tensor
    runs: tuple[tuple[int, int], ...]
    order: Tensor


def rows_without_padding(backbone: Any, mask: Tensor | None) -> Rows | None:
    """The rows of a padded batch that this encoder may be run on end to end, else None.

    That is on a processor, for the types of encoder whose hidden states are proved to be the same,
    and where there is padding to save.
    """
    config = backbone.config
    known = config.model_type in _FROM_ZERO or config.model_type in _AFTER_PADDING
    if mask is None or mask.device.type != "cpu" or not known:
        return None
    if config.is_decoder or config._attn_implementation != "sdpa":
        return None
    return rows_of(mask)


def rows_of(mask: Tensor) -> Rows | None:
    """The rows of a mask (B, T) that has padding on the right and nowhere else.

    None where there is no padding, or a row has no tokens.
    """
    kept = mask > 0
    lengths, width = kept.sum(1), mask.shape[1]
    real = torch.arange(width) < lengths[:, None]
    if bool(kept.all()) or not torch.equal(kept, real) or int(lengths.min()) == 0:
        return None
    order = torch.argsort(lengths, stable=True)
    row, positions = real[order].nonzero(as_tuple=True)
    runs = tuple((len(list(same)), n) for n, same in groupby(lengths[order].tolist()))
    return Rows(order[row] * width + positions, positions, runs, order)


def run_rows(backbone: Any, rows: Rows, given: Tensor) -> Tensor:
    """Hidden states (B, T, D) of a padded batch, zero where there is padding.

    `given` are tokens (B, T), or the hidden states (B, T, D) that enter the first layer.
    """
    config = backbone.config
    first = config.pad_token_id + 1 if config.model_type in _AFTER_PADDING else 0
    flat = given.flatten(0, 1)[rows.places].unsqueeze(0)
    entrance = {"inputs_embeds" if flat.is_floating_point() else "input_ids": flat}
    with _attention_by_rows(config):
        result = backbone(position_ids=(rows.positions + first)[None], runs=rows.runs, **entrance)
    hidden: Tensor = result.last_hidden_state[0]
    whole = hidden.new_zeros(given.shape[0] * given.shape[1], hidden.shape[-1])
    return whole.index_copy(0, rows.places, hidden).view(*given.shape[:2], -1)


@contextmanager
def _attention_by_rows(config: Any) -> Iterator[None]:
    _register()
    before = config._attn_implementation
    config._attn_implementation = _NAME
    try:
        yield
    finally:
        config._attn_implementation = before


def _attend(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    runs: tuple[tuple[int, int], ...],
    scaling: float | None = None,
    dropout: float = 0.0,
    **rest: Any,
) -> tuple[Tensor, None]:
    """Attention of (1, H, S, d) where rows of one length are a batch of their own."""
    sizes = [count * length for count, length in runs]
    parts = [
        [
            part.view(count, length, *part.shape[1:]).transpose(1, 2)
            for part, (count, length) in zip(
                whole.transpose(1, 2)[0].split(sizes), runs, strict=True
            )
        ]
        for whole in (query, key, value)
    ]
    found = [
        scaled_dot_product_attention(q, k, v, dropout_p=dropout, scale=scaling)
        for q, k, v in zip(*parts, strict=True)
    ]
    flat = [part.transpose(1, 2).flatten(0, 1) for part in found]
    return torch.cat(flat).unsqueeze(0), None


@cache
def _register() -> None:
    # Here, since transformers takes seconds to import and not every command runs a model.
    from transformers import AttentionInterface

    AttentionInterface.register(_NAME, _attend)
