"""Tokens per second and model FLOP utilisation of LoRA on an 8B shape; see README.md.

    python bench/gpu/run.py [--quick] [--again] [--peak-tflops X]

Without a CUDA device it says so and measures nothing. --quick runs both sides on a tiny shape on
the processor, to test the script itself, and keeps nothing.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "training")]

import ledger as ledgers  # noqa: E402
import shape as shapes  # noqa: E402
import workers  # noqa: E402

PEER = "TRL SFTTrainer + PEFT, packing, its default gradient checkpointing"
WHAT = "LoRA r=16 on a random Llama-3.1-8B shape, 4096 tokens packed, bfloat16"


def main() -> None:
    """Measures, or says why not."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--peak-tflops", type=float, help="dense bfloat16 peak of an unlisted card")
    given = parser.parse_args()
    card = _card()
    if card is None and not given.quick:
        print("skipped: this measurement needs a CUDA device and none is here")
        return
    listed = [p for n, p in shapes.PEAK_TFLOPS.items() if card and n in card]
    peak = given.peak_tflops or next(iter(listed), None if card else 1.0)
    if peak is None:
        raise SystemExit(f"the peak of {card} is not listed; give --peak-tflops")
    ledgers.QUESTION = "How fast does Luthier train an 8B shape on one GPU?"
    ledgers.COMMAND = "python bench/gpu/run.py"
    book = ledgers.Ledger(HERE / "results.json", given.again, dry=given.quick)
    _measure(book, card, peak)


def _measure(book: ledgers.Ledger, card: str | None, peak: float) -> None:
    whole = card is not None
    settings = workers.Settings(5 if whole else 2, 8 if whole else 1, 1, not whole)
    shared = {"device": "cuda" if whole else "cpu", "whole": whole}
    tokenizer = str(workers.ROOT / "src" / "luthier" / "models" / "embedded")
    peers = shared | {"name": "gpu-theirs", "tokenizer": tokenizer, "checkpointing": True}
    # One after the other: two 8B models do not fit on one card.
    ours = _windows("../gpu/ours.py", shared | {"name": "gpu-ours"}, settings)
    theirs = _windows("../gpu/theirs.py", peers, settings)
    place = f"{WHAT}, {card}"
    book.add(ledgers.ratio_row((f"tokens per second, {place}", PEER), ours, theirs, (1.3, 2.0)))
    chosen = shapes.SHAPE if whole else shapes.SMALL
    share = [v * shapes.flops_per_token(chosen) / (peak * 1e12) for v in ours]
    middle = sorted(share)[len(share) // 2]
    book.add(
        ledgers.Row(
            f"model FLOP utilisation, {place}",
            "—",
            round(middle, 4),
            None,
            None,
            (round(min(share), 4), round(max(share), 4)),
            "at least 0.35",
            "at least 0.5",
            middle >= 0.35,
        )
    )


def _windows(script: str, given: dict[str, object], settings: workers.Settings) -> list[float]:
    worker = workers.Worker(script, given, settings.threads)
    found = workers.alternate([worker], settings, warm=2)[0]
    return [w["tokens"] / w["wall"] for w in found]


def _card() -> str | None:
    code = "import torch; print(torch.cuda.get_device_name() if torch.cuda.is_available() else '')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    return done.stdout.strip() or None


if __name__ == "__main__":
    main()
