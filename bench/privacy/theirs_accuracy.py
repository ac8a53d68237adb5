"""Opacus on the rows, model, passes and batch of ours; run by the peers' own interpreter.

    python bench/privacy/theirs_accuracy.py FOLDER RATE MODEL

The frozen lower layers run once per row beforehand, as in ours: it changes no number that is
measured here, and saves the peer time. Prints one line of JSON.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from opacus import PrivacyEngine
from opacus.utils.batch_memory_manager import BatchMemoryManager
from peft import LoraConfig, get_peft_model
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader
from transformers import AutoModel, AutoTokenizer

EPSILON, EPOCHS, SHARE, TOP, MOST = 8.0, 20, 8, 2, 256


class Upper(nn.Module):
    """The upper layers with adapters, the mean of the states, and an output layer."""

    def __init__(self, layers: nn.ModuleList, classes: int) -> None:
        super().__init__()
        self.layers, self.output = layers, nn.Linear(384, classes)
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """Scores (B, C) from states (B, T, D) and which of them are real (B, T)."""
        closed = (1.0 - mask)[:, None, None, :] * torch.finfo(torch.float32).min
        for layer in self.layers:
            found = layer(states, attention_mask=closed)
            states = found[0] if isinstance(found, tuple) else found
        weights = mask[..., None]
        return self.output((states * weights).sum(1) / weights.sum(1))


def read(place: Path, part: str) -> tuple[list[str], list[str]]:
    """Texts and labels of a part."""
    rows = [json.loads(line) for line in (place / f"{part}.jsonl").read_text("utf-8").splitlines()]
    return [r["text"] for r in rows], [r["label"] for r in rows]


def lower(body: nn.Module, tokenizer: object, texts: list[str]) -> list[Tensor]:
    """What the frozen layers make of each text (T, D)."""
    found: list[Tensor] = []
    for text in texts:
        given = tokenizer(text, truncation=True, max_length=MOST, return_tensors="pt")  # type: ignore[operator]
        with torch.no_grad():
            states = body(**given, output_hidden_states=True).hidden_states
        found.append(states[len(states) - 1 - TOP][0].clone())
    return found


def collate(rows: list[tuple[Tensor, int]]) -> tuple[Tensor, Tensor, Tensor]:
    """Padded states, their mask and the classes; a Poisson draw may be empty."""
    if not rows:
        return torch.zeros(0, 1, 384), torch.ones(0, 1), torch.zeros(0, dtype=torch.long)
    states = pad_sequence([s for s, _ in rows], batch_first=True)
    mask = pad_sequence([torch.ones(len(s)) for s, _ in rows], batch_first=True)
    return states, mask, torch.tensor([y for _, y in rows])


def main(place: Path, rate: float, folder: str) -> None:
    """Trains and answers the accuracy on the test rows."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    texts, labels = read(place, "train")
    names = sorted(set(labels))
    body = AutoModel.from_pretrained(folder, add_pooling_layer=False).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    states = lower(body, tokenizer, texts)
    rows = [(s, names.index(y)) for s, y in zip(states, labels, strict=True)]
    tests, truth = read(place, "test")
    held = lower(body, tokenizer, tests)
    above = [f"layer.{i}." for i in range(len(body.encoder.layer) - TOP, len(body.encoder.layer))]
    wanted = [n for n, m in body.named_modules()
              if isinstance(m, nn.Linear) and any(a in n for a in above)]  # fmt: skip
    tuned = get_peft_model(body, LoraConfig(r=16, lora_alpha=32, target_modules=wanted))
    model = Upper(nn.ModuleList(tuned.base_model.model.encoder.layer[-TOP:]), len(names))
    model.train()
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=rate, weight_decay=0.0)
    loader = DataLoader(rows, batch_size=len(rows) // SHARE, collate_fn=collate)
    engine = PrivacyEngine(accountant="prv")
    model, optimizer, loader = engine.make_private_with_epsilon(
        module=model, optimizer=optimizer, data_loader=loader, target_epsilon=EPSILON,
        target_delta=1e-5, epochs=EPOCHS, max_grad_norm=1.0,
    )  # fmt: skip
    loader.collate_fn = collate
    for _ in range(EPOCHS):
        with BatchMemoryManager(
            data_loader=loader, max_physical_batch_size=32, optimizer=optimizer
        ) as parts:
            for given, mask, target in parts:
                optimizer.zero_grad()
                if len(target):
                    nn.functional.cross_entropy(model(given, mask), target).backward()
                    optimizer.step()
    model.eval()
    right = 0
    with torch.no_grad():
        for states, label in zip(held, truth, strict=True):
            scores = model(states[None], torch.ones(1, len(states)))
            right += int(names[int(scores.argmax())] == label)
    print(json.dumps({"accuracy": right / len(held), "epsilon": engine.get_epsilon(1e-5)}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]), sys.argv[3])
