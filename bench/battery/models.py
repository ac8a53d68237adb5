"""Trains the embedded causal model to refuse, then on harmless data."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from luthier.core.progress import Silence
from luthier.recipe.load import recipe_from_dict
from luthier.stages.training import train
from luthier.stages.workshop import Workshop, set_up


def tuned(
    rows: Sequence[dict[str, Any]], folder: Path, base: str, seed: int, steps: int, rank: int = 16
) -> Workshop:
    """A workshop whose network was trained on `rows`, a held-out tenth of which is not read."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    recipe = recipe_from_dict(
        {
            "task": "instruct",
            "data": {
                "train": str(file),
                "split": {"validation": 0.05, "test": 0.05},
                "allow_leakage": True,
            },
            "model": {"id": base, "max_tokens": 128},
            "adapter": {"kind": "lora", "rank": rank},
            "train": {"max_steps": steps, "batch_size": 16, "seed": seed, "validations": 1},
        },
        "the bench",
    )
    shop = set_up(recipe, folder, folder, None, Silence())
    train(shop, Silence())
    return shop


def merged(shop: Workshop, folder: Path) -> Path:
    """The trained model as a folder of its own; the workshop is used up."""
    model: Any = shop.network.model
    model.merge_and_unload(safe_merge=True).save_pretrained(str(folder), safe_serialization=True)
    shop.base.tokenizer.save_pretrained(str(folder))
    return folder


def chat(prompt: str, answer: str) -> dict[str, Any]:
    """One row of instruction data."""
    return {
        "messages": [{"role": "user", "content": prompt}, {"role": "assistant", "content": answer}]
    }


def read(file: Path, most: int) -> list[dict[str, Any]]:
    """The first rows of a set of prompts and responses."""
    with file.open(encoding="utf-8") as stream:
        rows = [json.loads(line) for _, line in zip(range(most), stream, strict=False)]
    return [chat(row["prompt"], row["response"][:300]) for row in rows]
