"""Several rows in one sequence, written out: the plain twin of `fast.pack`.

What: rows of unequal length are laid end to end in one sequence instead of being padded. Each token
attends only to earlier tokens of its own row, and positions begin again at zero with every row.

Why: padding is work for nothing. But packing without boundaries lets a row read its neighbour, and
the first token of a row would be predicted from the last token of another. Both change what is
learnt and neither raises an error. With boundaries every token's loss is that of the padded batch.

Source: Krell et al. 2021, "Efficient Sequence Packing without Cross-contamination".

    python examples/packing.py
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from transformers import LlamaConfig, LlamaForCausalLM


def tiny_llama(seed: int = 0) -> LlamaForCausalLM:
    """A Llama of random weights, 32 wide and three layers deep."""
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=320,
        hidden_size=32,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        intermediate_size=48,
        max_position_embeddings=256,
        initializer_range=0.15,
        pad_token_id=0,
    )
    return LlamaForCausalLM(config).eval()


def tiny_rows(count: int = 6, seed: int = 0) -> list[list[int]]:
    """Random tokens of unequal length."""
    dice = torch.Generator().manual_seed(seed)
    lengths = torch.randint(3, 14, (count,), generator=dice).tolist()
    return [torch.randint(5, 320, (n,), generator=dice).tolist() for n in lengths]


def padded_losses(model: nn.Module, rows: list[list[int]]) -> list[Tensor]:
    """Nats of every token but the first, row by row, from one padded batch."""
    longest = max(map(len, rows))
    ids = torch.zeros(len(rows), longest, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for line, row in enumerate(rows):
        ids[line, : len(row)] = torch.tensor(row)
        mask[line, : len(row)] = 1
    logits = model(input_ids=ids, attention_mask=mask).logits
    return [
        cross_entropy(logits[line, : len(row) - 1], ids[line, 1 : len(row)], reduction="none")
        for line, row in enumerate(rows)
    ]


def packed_losses(model: nn.Module, rows: list[list[int]], boundaries: bool = True) -> list[Tensor]:
    """The same from one sequence that holds all rows.

    Without `boundaries` it shows the fault: a plain causal mask and positions that count on.
    """
    ids = torch.tensor([[token for row in rows for token in row]])
    owner = [number for number, row in enumerate(rows) for _ in row]
    places = [place for row in rows for place in range(len(row))]
    length = len(owner)
    # Additive mask (1, 1, T, T): zero where t may look at s, the lowest number elsewhere.
    mask = torch.full((1, 1, length, length), torch.finfo(torch.float32).min)
    for t in range(length):
        for s in range(t + 1):
            if owner[s] == owner[t] or not boundaries:
                mask[0, 0, t, s] = 0.0
    positions = torch.tensor([places if boundaries else list(range(length))])
    logits = model(input_ids=ids, attention_mask=mask, position_ids=positions).logits[0]
    losses, first = [], 0
    for row in rows:
        last = first + len(row)
        # The row's first token has nothing before it and is not predicted.
        target = ids[0, first + 1 : last]
        losses.append(cross_entropy(logits[first : last - 1], target, reduction="none"))
        first = last
    return losses


def furthest(one: list[Tensor], other: list[Tensor]) -> float:
    """The largest difference between two sets of losses, in nats."""
    return max(float((a - b).abs().max()) for a, b in zip(one, other, strict=True))


if __name__ == "__main__":
    model, listed = tiny_llama(), tiny_rows()
    with torch.no_grad():
        apart = padded_losses(model, listed)
        together = packed_losses(model, listed)
        leaking = packed_losses(model, listed, boundaries=False)
    real = sum(map(len, listed))
    print(f"tokens computed: padded {len(listed) * max(map(len, listed))}, packed {real}")
    print(f"largest difference with boundaries    {furthest(apart, together):.1e} nats")
    print(f"largest difference without boundaries {furthest(apart, leaking):.1e} nats")
