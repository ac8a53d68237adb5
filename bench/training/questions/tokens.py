"""Instruction tuning on short rows: tokens per second and peak memory against TRL."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ledger import Ledger, ratio_row
from questions.models import causal
from workers import DATA, Settings, Worker, alternate

WARM = 2
# About the same rows and tokens per update everywhere: 32 rows, or 2 sequences of 1024 tokens.
PEERS: dict[str, tuple[str, dict[str, Any], tuple[float, float]]] = {
    "plain": (
        "TRL SFTTrainer, defaults (gradient checkpointing on; float32, as no bfloat16 here)",
        {"batch": 32, "packing": False, "checkpointing": True, "max_length": 1024},
        (1.5, 3.0),
    ),
    "packed": (
        "TRL SFTTrainer, packing (gradient checkpointing off; float32)",
        {"batch": 2, "packing": True, "checkpointing": False, "max_length": 1024},
        (1.0, 1.3),
    ),
}
ABOUT = "instruction tuning, LoRA r=16, embedded causal model, E2E train rows, batch 32"
WHAT = {
    "wall": f"real tokens per second, {ABOUT}",
    "cpu": f"real tokens per CPU second, {ABOUT}",
    "peak_mb": f"peak resident memory in MB, {ABOUT} (ratio: theirs to ours)",
}


def measure(ledger: Ledger, settings: Settings) -> None:
    """Three lines for each peer: by the clock, by processor time, and memory."""
    if all(ledger.has(what, peer) for what in WHAT.values() for peer, _, _ in PEERS.values()):
        return
    found = alternate(list(_workers(settings)), settings, WARM)
    for place, (peer, _, bounds) in enumerate(PEERS.values(), 1):
        for clock in ("wall", "cpu"):
            ours, theirs = ([w["tokens"] / w[clock] for w in found[i]] for i in (0, place))
            ledger.add(ratio_row((WHAT[clock], peer), ours, theirs, bounds))
        peaks = [[found[i][-1]["peak_mb"]] for i in (0, place)]
        ledger.add(
            ratio_row(
                (WHAT["peak_mb"], peer), *peaks, (1.0, 1.0), lambda ours, theirs: theirs / ours
            )
        )


def _workers(settings: Settings) -> Iterator[Worker]:
    shared = {
        "threads": settings.threads,
        "windows": settings.repetitions,
        "steps": settings.steps,
        "warm": WARM,
    }
    folder = DATA / "e2e_nlg"
    recipe = {
        "task": "instruct",
        "data": {"train": "train.jsonl", "split": {"validation": 0.0, "test": 0.0}},
        "model": {"precision": "float32", "max_tokens": 1024},
        "train": {"batch_size": 32},
    }
    given = shared | {"name": "ours-instruct", "data": str(folder), "recipe": recipe}
    yield Worker("ours/windows.py", given, settings.threads)
    for name, (_, choices, _) in PEERS.items():
        given = (
            shared
            | choices
            | {
                "name": f"sft-{name}",
                "kind": "writer",
                "file": str(folder / "train.jsonl"),
                "model": causal(),
            }
        )
        yield Worker("theirs/windows.py", given, settings.threads)
