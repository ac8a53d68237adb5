"""Training rows per second of a classifier: the engine against Trainer with PEFT."""

from __future__ import annotations

from collections.abc import Iterator

from ledger import Ledger, ratio_row
from questions.models import encoder
from workers import DATA, Settings, Worker, alternate

NAMES = {
    "random": ("transformers Trainer + PEFT, defaults", (2.8, 4.0)),
    "group_by_length": ("transformers Trainer + PEFT, length grouping", (1.1, 1.5)),
}
BATCH, WARM = 32, 2


def what(clock: str) -> str:
    """The line's name."""
    unit = "second" if clock == "wall" else "CPU second"
    return (
        f"training rows per {unit}, LoRA r=16 on every linear layer of MiniLM, Banking77, batch 32"
    )


def measure(ledger: Ledger, settings: Settings) -> None:
    """Two lines for each peer: by the clock and by processor time."""
    if all(
        ledger.has(what(clock), peer) for clock in ("wall", "cpu") for peer, _ in NAMES.values()
    ):
        return
    found = alternate(list(_workers(settings)), settings, WARM)
    speeds = {
        clock: [[w["rows"] / w[clock] for w in windows] for windows in found]
        for clock in ("wall", "cpu")
    }
    for clock, by_worker in speeds.items():
        for (peer, bounds), theirs in zip(NAMES.values(), by_worker[1:], strict=True):
            ledger.add(ratio_row((what(clock), peer), by_worker[0], theirs, bounds))


def _workers(settings: Settings) -> Iterator[Worker]:
    shared = {
        "threads": settings.threads,
        "windows": settings.repetitions,
        "steps": settings.steps,
        "warm": WARM,
    }
    folder = DATA / "banking77"
    recipe = {
        "data": {"train": "train.jsonl", "split": {"validation": 0.0, "test": 0.0}},
        "model": {"precision": "float32"},
        "train": {"batch_size": BATCH},
    }
    yield Worker(
        "ours/windows.py", shared | {"data": str(folder), "recipe": recipe}, settings.threads
    )
    for sampling in NAMES:
        given = shared | {
            "name": f"trainer-{sampling}",
            "kind": "classifier",
            "file": str(folder / "train.jsonl"),
            "model": encoder(),
            "batch": BATCH,
            "sampling": sampling,
        }
        yield Worker("theirs/windows.py", given, settings.threads)
