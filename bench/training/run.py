"""Measures training against the libraries people use now; see README.md.

    python bench/training/run.py [--quick] [--only NAME] [--again] [--threads N]

Each line of the table is written to results.json as soon as it is measured; lines that are there
already are skipped unless --again is given. --quick runs everything with tiny numbers, prints the
lines and keeps none of them.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from ledger import Ledger  # noqa: E402
from workers import Settings  # noqa: E402

QUESTIONS = ("speed", "agreement", "tokens", "cold", "reach", "accuracy")


def main() -> None:
    """Asks every question, or the one that was named."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="tiny numbers, nothing is kept")
    parser.add_argument("--only", choices=QUESTIONS, help="one question")
    parser.add_argument("--again", action="store_true", help="measure lines that are there already")
    parser.add_argument("--threads", type=int, default=1, help="processor threads of every worker")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--steps", type=int, default=12, help="updates in a window")
    given = parser.parse_args()
    settings = Settings(given.repetitions, given.steps, given.threads, given.quick)
    if given.quick:
        settings = Settings(2, 2, given.threads, True)
    ledger = Ledger(HERE / "results.json", given.again, dry=given.quick)
    for name in [given.only] if given.only else QUESTIONS:
        print(f"{name}:", file=sys.stderr, flush=True)
        importlib.import_module(f"questions.{name}").measure(ledger, settings)


if __name__ == "__main__":
    main()
