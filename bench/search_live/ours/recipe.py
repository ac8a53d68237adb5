"""The recipe of the live comparison, as a user would write it."""

from __future__ import annotations

from typing import Any


def recipe(given: dict[str, Any], budget: str | None = None) -> dict[str, Any]:
    """With a search of so large a budget; without one where it is None."""
    content: dict[str, Any] = {
        "task": "classify",
        "data": {
            "train": "train.jsonl",
            "validation": "validation.jsonl",
            "test": "test.jsonl",
            "allow_leakage": True,
        },
        "model": {"id": "embedded:encoder", "max_tokens": given["tokens"], "precision": "float32"},
        "train": {"epochs": given["epochs"], "seed": given["seed"]},
        # With so few rows per class a run without a search would climb the ladder instead.
        "fewshot": {"enabled": "off"},
        "evaluate": {"metric": "accuracy"},
    }
    if budget is not None:
        content["tune"] = {"budget": budget, "maximize": "accuracy"}
    return content
