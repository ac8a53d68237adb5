"""Frozen lower layers run once per row: the plain twin of `fast.prefix_cache`.

What: when only the top layers are trained, the layers below give the same for the same row in every
epoch. They are run once, what enters the first trained layer is kept, and training starts there.

Why: with three quarters of the layers frozen, an epoch costs little more than a quarter. It is
exact only while the frozen part has no dropout, and while padding does not leak into real tokens.

Source: Liu, Agarwal and Venkataraman 2021, "AutoFreeze: Automatically Freezing Model Blocks to
Accelerate Fine-tuning", keeps activations of frozen blocks in the same way.

    python examples/prefix_cache.py
"""

from __future__ import annotations

import torch
from classify_lora import Row, padded, tiny_encoder, tiny_rows
from peft import LoraConfig, get_peft_model
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

BELOW = 2
"""Layers 0 and 1 are frozen; layer 2 is trained."""


def prefixes(encoder: nn.Module, rows: list[Row]) -> list[Tensor]:
    """What enters layer `BELOW` for each row (T, D): embeddings and frozen layers, once."""
    kept = []
    with torch.no_grad():
        for row in rows:
            ids, _, _ = padded([row])
            hidden = encoder.embeddings(input_ids=ids)
            for layer in encoder.encoder.layer[:BELOW]:
                hidden = layer(hidden)
            kept.append(hidden[0])
    return kept


def upper(encoder: nn.Module, hidden: Tensor, mask: Tensor) -> Tensor:
    """The trained layers on hidden states (B, T, D), padding hidden by the mask (B, T)."""
    hide = (1.0 - mask.float())[:, None, None, :] * torch.finfo(torch.float32).min
    for layer in encoder.encoder.layer[BELOW:]:
        hidden = layer(hidden, hide)
    return hidden


def gathered(kept: list[Tensor], numbers: list[int]) -> Tensor:
    """Kept hidden states of some rows, filled up with zeros (B, T, D)."""
    return nn.utils.rnn.pad_sequence([kept[i] for i in numbers], batch_first=True)


def tune(
    rows: list[Row],
    batches: list[list[int]],
    cached: bool,
    rate: float = 0.05,
    seeds: tuple[int, int] = (0, 1),
) -> tuple[nn.Module, nn.Linear, list[float], int]:
    """The adapted model, output layer, loss curve, and how often a layer met a row."""
    base = tiny_encoder()
    torch.manual_seed(seeds[0])
    pattern = rf"encoder\.layer\.{BELOW}\..*(query|key|value|dense)"
    model = get_peft_model(base, LoraConfig(r=4, lora_alpha=8, target_modules=pattern)).eval()
    torch.manual_seed(seeds[1])
    output = nn.Linear(32, 3)
    trained = [p for p in model.parameters() if p.requires_grad] + list(output.parameters())
    optimizer = torch.optim.SGD(trained, lr=rate, momentum=0.9)
    kept = prefixes(base, rows) if cached else []
    work, curve = BELOW * len(kept), []
    for numbers in batches:
        ids, mask, label = padded([rows[i] for i in numbers])
        if cached:
            hidden = upper(base, gathered(kept, numbers), mask)
            work += (3 - BELOW) * len(numbers)
        else:
            hidden = model(input_ids=ids, attention_mask=mask).last_hidden_state
            work += 3 * len(numbers)
        pooled = (hidden * mask.unsqueeze(-1)).sum(1) / mask.sum(1, keepdim=True)
        loss = cross_entropy(output(pooled), label)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        curve.append(loss.item())
    return model, output, curve, work


if __name__ == "__main__":
    listed = tiny_rows()
    order = torch.Generator().manual_seed(0)
    drawn = [
        part.tolist() for _ in range(4) for part in torch.randperm(24, generator=order).split(8)
    ]
    _, _, slow, whole = tune(listed, drawn, cached=False)
    _, _, fast, less = tune(listed, drawn, cached=True)
    apart = max(abs(a - b) for a, b in zip(slow, fast, strict=True))
    print(f"layers met rows {whole} times without the kept prefix, {less} times with it")
    print(f"largest difference between the loss curves {apart:.1e}")
