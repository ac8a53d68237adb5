"""Measures what a private step costs in time and memory; see README.md.

    python bench/privacy/run.py [--quick] [--again]

Each line of the table is written to results.json as soon as it is measured; lines that are there
already are skipped unless --again is given. --quick measures tiny numbers and keeps nothing.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
RESULTS = HERE / "results.json"
PEERS = Path(os.environ.get("LUTHIER_PEERS", HERE / ".env"))

COSTS = (
    ("lora-qv", 16, 64, 1, 7, "LoRA r=8 on query and value, 16 rows of 64 tokens", 1.10, 1.05),
    ("lora-qv", 32, 0, 8, 3, "LoRA r=8 on query and value, 256 rows of Banking77", 1.10, 1.05),
    ("lora-all", 32, 0, 8, 3, "LoRA r=16 on every linear layer, 256 rows of Banking77", 1.10, 1.05),
    ("full", 8, 64, 8, 2, "full fine-tuning, 64 rows of 64 tokens, 8 per pass", 1.45, 1.30),
    ("full", 32, 0, 8, 2, "full fine-tuning, 256 rows of Banking77, 32 per pass", 1.45, 1.30),
)
THEIRS = (
    ("lora-qv", 16, 64, 5, "hooks", "LoRA r=8 on query and value, 16 rows of 64 tokens"),
    ("lora-qv", 16, 64, 5, "ghost", "LoRA r=8 on query and value, 16 rows of 64 tokens"),
    ("full", 8, 64, 3, "hooks", "full fine-tuning, 8 rows of 64 tokens"),
    ("full", 8, 64, 3, "ghost", "full fine-tuning, 8 rows of 64 tokens"),
)


class Table:
    """results.json; a dry one keeps nothing."""

    def __init__(self, again: bool, dry: bool) -> None:
        self._again, self._dry = again, dry
        known = json.loads(RESULTS.read_text(encoding="utf-8"))["rows"] if RESULTS.exists() else []
        for beside in ("accounting", "ledger", "accuracy"):
            # Lines that accounting.py, ledger.py and accuracy.py measured.
            file = HERE / f"{beside}.json"
            fresh = json.loads(file.read_text(encoding="utf-8"))["rows"] if file.exists() else []
            keys = {(r["what"], r["peer"]) for r in fresh}
            known = [r for r in known if (r["what"], r["peer"]) not in keys] + fresh
        self.rows: list[dict[str, Any]] = known

    def has(self, what: str, peer: str) -> bool:
        """Whether a line need not be measured."""
        named = any((r["what"], r["peer"]) == (what, peer) for r in self.rows)
        return named and not self._again and not self._dry

    def add(self, **row: Any) -> None:
        """Keeps a line, at once."""
        print(json.dumps(row), flush=True)
        key = (row["what"], row["peer"])
        self.rows = [r for r in self.rows if (r["what"], r["peer"]) != key] + [row]
        if self._dry:
            return
        about = {
            "question": "What does differential privacy cost, and is it counted right?",
            "command": "python bench/privacy/run.py",
            "date": datetime.date.today().isoformat(),
            "machine": f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores",
            "commit": _line(["git", "rev-parse", "--short", "HEAD"]),
            "rows": self.rows,
        }
        text = json.dumps(about, indent=1, ensure_ascii=False) + "\n"
        RESULTS.write_text(text, encoding="utf-8")


def _line(command: list[str]) -> str:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def _told(command: list[str]) -> dict[str, float]:
    environment = os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    found: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def costs(table: Table, quick: bool) -> None:
    """CPU time of our steps, memory of full fine-tuning, and both of Opacus."""
    for kind, rows, tokens, passes, again, name, must, aim in COSTS:
        what = f"private step over plain step, CPU time, MiniLM, {name}"
        if table.has(what, "the plain step"):
            continue
        given = [str(n) for n in ((4, 16, 1, 1) if quick else (rows, tokens, passes, again))]
        found = _told([sys.executable, str(HERE / "cost.py"), kind, *given, "both"])
        table.add(
            what=what, peer="the plain step", ours=found["private"], theirs=found["plain"],
            ratio=found["ratio"], interval=[found["low"], found["high"]],
            must=f"at most {must:.2f}x", aim=f"at most {aim:.2f}x", met=found["ratio"] <= must,
        )  # fmt: skip
    what = "peak memory in MB, full fine-tuning of MiniLM, 8 rows of 64 tokens"
    if not table.has(what, "the plain step"):
        size = ["4", "16", "1", "1"] if quick else ["8", "64", "1", "3"]
        mine, plain = (
            _told([sys.executable, str(HERE / "cost.py"), "full", *size, rule])["mb"]
            for rule in ("private", "plain")
        )
        table.add(
            what=what, peer="the plain step", ours=mine, theirs=plain, ratio=mine / plain,
            interval=None, must="at most 1.5x", aim="at most 1.3x", met=mine / plain <= 1.5,
        )  # fmt: skip
    _opacus(table, quick)


def _opacus(table: Table, quick: bool) -> None:
    from luthier.models.places import locate

    python = PEERS / "bin" / "python"
    if not python.exists():
        print(f"{python} is missing: pip install opacus==1.6.0 peft transformers into it")
        return
    for kind, rows, tokens, again, mode, name in THEIRS:
        what = f"the same of Opacus 1.6 ({mode}), {name}"
        if table.has(what, "its own plain step"):
            continue
        size = [str(n) for n in ((4, 16, 1) if quick else (rows, tokens, again))]
        script = str(HERE / "theirs_cost.py")
        found = _told(
            [str(python), "-W", "ignore", script, kind, *size, mode, locate("embedded:encoder")]
        )
        table.add(
            what=what, peer="its own plain step", ours=None, theirs=found["private"],
            ratio=found["ratio"], interval=[found["low"], found["high"]], must="—", aim="—",
            met=True,
        )  # fmt: skip


def others(table: Table) -> None:
    """The lines that accounting.py wrote, beside ours."""
    file = HERE / "accounting.json"
    for row in json.loads(file.read_text(encoding="utf-8"))["rows"] if file.exists() else []:
        table.add(**row)


def main() -> None:
    """Measures what is not there yet."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="tiny numbers, nothing is kept")
    parser.add_argument("--again", action="store_true", help="measure lines that are there already")
    given = parser.parse_args()
    table = Table(given.again, given.quick)
    costs(table, given.quick)
    others(table)


if __name__ == "__main__":
    main()
