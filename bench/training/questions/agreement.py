"""The same batches in the same order: the loss curve of Trainer, and PEFT under a plain loop."""

from __future__ import annotations

from typing import Any

from ledger import Ledger, Row, value_row
from questions.models import encoder
from workers import DATA, WORK, Settings, once

CURVE = (
    "loss curve, same batches in the same order, MiniLM + LoRA on Banking77: largest difference",
    "transformers Trainer + PEFT, dropout 0, fixed sampler",
)
PARITY = (
    "LoRA weights after 20 updates in float32, MiniLM on Banking77: largest difference",
    "PEFT + plain torch loop",
)
STEADY = (
    "the same with SGD and momentum, whose update does not divide a gradient by its size",
    "PEFT + plain torch loop",
)
USUAL = (
    "the same with AdamW at Trainer's own learning rate, 5e-5",
    "PEFT + plain torch loop",
)
ROUNDING = (
    "largest error of a LoRA weight after these 20 updates, against the same in float64 (ratio: "
    "theirs to ours)",
    "PEFT + plain torch loop, float32 too",
)
STEPS = 20
USUAL_RATE = 5e-5
SGD_RATE = 0.01
"""With it the farthest weight goes about as far as with AdamW."""


def measure(ledger: Ledger, settings: Settings) -> None:
    """One line each; all are deterministic, so one repetition is enough."""
    if all(ledger.has(*line) for line in (CURVE, PARITY, USUAL, STEADY, ROUNDING)):
        return
    place = WORK / "agreement"
    place.mkdir(parents=True, exist_ok=True)
    folder = DATA / "banking77"
    shared: dict[str, Any] = {
        "threads": settings.threads,
        "steps": 3 if settings.quick else STEPS,
        "place": str(place),
        "rate": 5e-4,
    }
    recipe: dict[str, Any] = {
        "data": {"train": "train.jsonl", "split": {"validation": 0.0, "test": 0.0}},
        "model": {"precision": "float32"},
        "train": {
            "learning_rate": shared["rate"],
            "max_steps": shared["steps"],
            "schedule": {"kind": "linear", "warmup": 0.0},
            "optimizer": {"weight_decay": 0.0},
        },
    }
    usual = shared | {"rate": USUAL_RATE}
    train = recipe["train"] | {"learning_rate": USUAL_RATE}
    once("ours/curve.py", usual | {"data": str(folder), "recipe": recipe | {"train": train}},
         settings.threads)  # fmt: skip
    plain = once("theirs/plain.py", usual | {"model": encoder()}, settings.threads)
    ledger.add(value_row(USUAL, [plain["weights"]], 1e-6, 1e-6))
    steady = shared | {"rate": SGD_RATE, "optimizer": "sgd"}
    train = recipe["train"] | {
        "learning_rate": SGD_RATE, "optimizer": {"weight_decay": 0.0, "kind": "sgd"},
    }  # fmt: skip
    given = steady | {"data": str(folder), "recipe": recipe | {"train": train}}
    once("ours/curve.py", given, settings.threads)
    plain = once("theirs/plain.py", steady | {"model": encoder()}, settings.threads)
    print(f"with SGD the farthest weight went {plain['moved']:.3g}", flush=True)
    ledger.add(value_row(STEADY, [plain["weights"]], 1e-6, 1e-6))
    once("ours/curve.py", shared | {"data": str(folder), "recipe": recipe}, settings.threads)
    given = shared | {"model": encoder()}
    plain = once("theirs/plain.py", given, settings.threads)
    ledger.add(value_row(PARITY, [plain["weights"]], 1e-6, 1e-6))
    ledger.add(_rounding(plain["ours"], plain["theirs"]))
    trainer = once("theirs/curve.py", given, settings.threads)
    ledger.add(value_row(CURVE, [trainer["losses"]], 1e-3, 1e-3))


def _rounding(ours: float, theirs: float) -> Row:
    """Both loops round; ours may not round worse than the one written by hand."""
    ratio = theirs / ours
    return Row(
        *ROUNDING, float(f"{ours:.4g}"), float(f"{theirs:.4g}"), round(ratio, 3),
        (round(ratio, 3), round(ratio, 3)), "at least 0.8x", "at least 1x", ratio >= 0.8,
    )  # fmt: skip
