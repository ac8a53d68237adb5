"""The same network without the product: MiniLM under PEFT, mean pooling, one linear layer."""

from __future__ import annotations

from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from transformers import AutoModel


class Pooled(nn.Module):
    """A classifier on the mean of the token vectors."""

    def __init__(self, folder: str, labels: int, dropout: bool) -> None:
        super().__init__()
        off: dict[str, Any] = {}
        if not dropout:
            off = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
        base = AutoModel.from_pretrained(
            folder, add_pooling_layer=False, use_safetensors=True, **off
        )
        config = LoraConfig(r=16, lora_alpha=32, target_modules="all-linear")
        self.model = get_peft_model(base, config)
        self.output = nn.Linear(base.config.hidden_size, labels)

    def forward(self, input_ids: Tensor, attention_mask: Tensor, labels: Tensor) -> dict[str, Any]:
        """Mean cross-entropy and scores."""
        hidden = self.model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        weights = attention_mask.unsqueeze(-1).to(hidden.dtype)
        scores = self.output((hidden * weights).sum(1) / weights.sum(1))
        return {"loss": cross_entropy(scores, labels), "logits": scores}

    def take(self, file: str) -> None:
        """Trained parameters from a file, every one of them."""
        given = load_file(file)
        own = {n: p for n, p in self.named_parameters() if p.requires_grad}
        assert set(own) == set(given), sorted(set(own) ^ set(given))[:4]
        with torch.no_grad():
            for name, parameter in own.items():
                parameter.copy_(given[name])


def collate(rows: list[dict[str, Any]]) -> dict[str, Tensor]:
    """Rows padded with token 0."""
    longest = max(len(r["ids"]) for r in rows)
    ids = torch.zeros(len(rows), longest, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for line, row in enumerate(rows):
        ids[line, : len(row["ids"])] = torch.tensor(row["ids"])
        mask[line, : len(row["ids"])] = 1
    labels = torch.tensor([r["label"] for r in rows])
    return {"input_ids": ids, "attention_mask": mask, "labels": labels}
