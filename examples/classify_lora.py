"""LoRA and a linear layer on an encoder, written out: the plain twin of `task: classify`.

What: every linear layer W of a frozen encoder becomes W + (alpha / rank) B A. Only A, B and a new
output layer are trained. A is random and B is zero, so training begins at the untouched model.

Why: the trained matrices are a few per cent of the weights. This file is what the library does
once all choices are taken: the same batches and seeds give the same loss curve and weights.

Sources: Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language Models", section 4.1;
Hu et al. 2024, "MiniCPM", section 4 (warm up, stay, decay); Loshchilov and Hutter 2019 (AdamW).

    python examples/classify_lora.py
"""

from __future__ import annotations

import torch
from peft import LoraConfig, get_peft_model
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from transformers import BertConfig, BertModel

Row = tuple[list[int], int]
"""Token ids and the number of the class."""


def tiny_encoder(seed: int = 0) -> BertModel:
    """A BERT of random weights, 32 wide and three layers deep."""
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=320,
        hidden_size=32,
        num_hidden_layers=3,
        num_attention_heads=4,
        intermediate_size=48,
        max_position_embeddings=256,
        initializer_range=0.15,
    )
    # Dropout of the frozen base is off: eval here, and nothing below calls train.
    return BertModel(config, add_pooling_layer=False).eval()


def tiny_rows(count: int = 24, seed: int = 0) -> list[Row]:
    """Random tokens of unequal length; the class is the remainder of the first token by three."""
    dice = torch.Generator().manual_seed(seed)
    rows = []
    for _ in range(count):
        length = int(torch.randint(3, 14, (), generator=dice))
        ids = torch.randint(5, 320, (length,), generator=dice).tolist()
        rows.append((ids, ids[0] % 3))
    return rows


def padded(rows: list[Row]) -> tuple[Tensor, Tensor, Tensor]:
    """Ids and mask (B, T), classes (B,). The mask, not the pad token, tells padding."""
    longest = max(len(ids) for ids, _ in rows)
    ids = torch.zeros(len(rows), longest, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for line, (tokens, _) in enumerate(rows):
        ids[line, : len(tokens)] = torch.tensor(tokens)
        mask[line, : len(tokens)] = 1
    return ids, mask, torch.tensor([label for _, label in rows])


def wsd(step: int, steps: int, warmup: int, decay: int) -> float:
    """The factor of the learning rate: up over `warmup` steps, flat, down over `decay`."""
    if step < warmup:
        return (step + 1) / warmup
    return min(1.0, (steps - step) / decay)


def tune(
    rows: list[Row],
    batches: list[list[int]],
    classes: int = 3,
    rate: float = 1e-2,
    seeds: tuple[int, int] = (0, 1),
) -> tuple[nn.Module, nn.Linear, list[float]]:
    """The adapted model, its output layer and the loss of each update.

    `batches` holds the row numbers of each update, `seeds` begin the adapter and the output layer.
    """
    base = tiny_encoder()
    torch.manual_seed(seeds[0])
    model = get_peft_model(base, LoraConfig(r=4, lora_alpha=8, target_modules="all-linear")).eval()
    torch.manual_seed(seeds[1])
    output = nn.Linear(32, classes)
    trained = [p for p in model.parameters() if p.requires_grad] + list(output.parameters())
    # Weight decay pulls matrices to zero; a bias has no reason to be there.
    groups = [
        {"params": [p for p in trained if p.ndim >= 2], "weight_decay": 0.01},
        {"params": [p for p in trained if p.ndim < 2], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.999), eps=1e-8)
    curve = []
    for step, numbers in enumerate(batches):
        ids, mask, label = padded([rows[i] for i in numbers])
        hidden = model(input_ids=ids, attention_mask=mask).last_hidden_state
        # The mean over real tokens is the text's vector.
        pooled = (hidden * mask.unsqueeze(-1)).sum(1) / mask.sum(1, keepdim=True)
        loss = cross_entropy(output(pooled), label)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(trained, 1.0)
        for group in optimizer.param_groups:
            group["lr"] = rate * wsd(step, len(batches), warmup=4, decay=6)
        optimizer.step()
        curve.append(loss.item())
    return model, output, curve


if __name__ == "__main__":
    listed = tiny_rows()
    order = torch.Generator().manual_seed(0)
    drawn = [torch.randperm(len(listed), generator=order)[:8].tolist() for _ in range(20)]
    for number, value in enumerate(tune(listed, drawn)[2], 1):
        print(f"update {number:2d}  loss {value:.4f}")
