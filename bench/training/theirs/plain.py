"""PEFT under a plain torch loop, fed the same batches from the same first weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from gate import Gate
from safetensors.torch import load_file
from theirs.pooled import Pooled, collate
from torch import Tensor


def main() -> None:
    """Answers the largest difference of any weight after the last update.

    `moved` is how far the farthest weight went; `weights` is the difference of ours to this loop,
    `ours` and `theirs` those of both to the same loop in float64, which is where neither has
    rounded.
    """
    gate = Gate()
    given = gate.given
    torch.set_num_threads(given["threads"])
    place = Path(given["place"])
    first, ours = (load_file(str(place / f"{name}.safetensors")) for name in ("first", "last"))
    single, double = trained(given, torch.float32), trained(given, torch.float64)
    gate.tell(
        weights=furthest(ours, single), ours=furthest(ours, double),
        theirs=furthest(single, double), moved=furthest(first, single),
    )  # fmt: skip


def trained(given: dict[str, Any], dtype: torch.dtype) -> dict[str, Tensor]:
    """The weights after the last update, all computed in `dtype`."""
    place = Path(given["place"])
    batches = json.loads((place / "batches.json").read_text(encoding="utf-8"))
    first = load_file(str(place / "first.safetensors"))
    model = Pooled(given["model"], len(first["output.bias"]), dropout=False).eval()
    model.take(str(place / "first.safetensors"))
    model.to(dtype)
    moved = {n: p for n, p in model.named_parameters() if p.requires_grad}
    kinds = {
        "adamw": lambda: torch.optim.AdamW(moved.values(), lr=given["rate"], weight_decay=0.0),
        "sgd": lambda: torch.optim.SGD(moved.values(), lr=given["rate"], momentum=0.9),
    }
    optimizer = kinds[given.get("optimizer", "adamw")]()
    for number, rows in enumerate(batches):
        optimizer.param_groups[0]["lr"] = given["rate"] * (1 - number / len(batches))
        optimizer.zero_grad()
        model(**collate(rows))["loss"].backward()
        torch.nn.utils.clip_grad_norm_(moved.values(), 1.0)
        optimizer.step()
    return {n: p.detach() for n, p in moved.items()}


def furthest(one: dict[str, Tensor], other: dict[str, Tensor]) -> float:
    """Largest absolute difference of any weight."""
    return max(float((one[n].double() - other[n].double()).abs().max()) for n in one)


if __name__ == "__main__":
    main()
