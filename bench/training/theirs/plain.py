"""PEFT under a plain torch loop, fed the same batches from the same first weights."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from gate import Gate
from safetensors.torch import load_file
from theirs.pooled import Pooled, collate


def main() -> None:
    """Answers the largest difference of any weight after the last update."""
    gate = Gate()
    given = gate.given
    torch.set_num_threads(given["threads"])
    place = Path(given["place"])
    batches = json.loads((place / "batches.json").read_text(encoding="utf-8"))
    first = load_file(str(place / "first.safetensors"))
    model = Pooled(given["model"], len(first["output.bias"]), dropout=False).eval()
    model.take(str(place / "first.safetensors"))
    trained = {n: p for n, p in model.named_parameters() if p.requires_grad}
    optimizer = torch.optim.AdamW(trained.values(), lr=given["rate"], weight_decay=0.0)
    for number, rows in enumerate(batches):
        optimizer.param_groups[0]["lr"] = given["rate"] * (1 - number / len(batches))
        optimizer.zero_grad()
        model(**collate(rows))["loss"].backward()
        torch.nn.utils.clip_grad_norm_(trained.values(), 1.0)
        optimizer.step()
    last = load_file(str(place / "last.safetensors"))
    gate.tell(weights=max(float((p.detach() - last[n]).abs().max()) for n, p in trained.items()))


if __name__ == "__main__":
    main()
