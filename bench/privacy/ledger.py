"""Kills a run between charge and update, again and again: is anything ever under-charged?

    python bench/privacy/ledger.py [--quick]   # 200 kills, or 5; writes ledger.json

A child charges an update, then makes it (one byte into a file, flushed to disk), as fast as it
can. It is killed at a random moment, and the next one goes on with the same ledger. The peer is a
history kept in the checkpoint of every tenth update, as Opacus keeps it.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
KEPT = HERE / "ledger.json"
CHILD = """
import os, sys
from pathlib import Path
from luthier.privacy.charge import SAMPLED, Charge
from luthier.privacy.ledger import Ledger
ledger = Ledger.open(Path(sys.argv[1]), "data")
done, saved = (Path(p) for p in sys.argv[2:4])
with done.open("ab", buffering=0) as released:
    print("ready", flush=True)
    for step in range(10 ** 9):
        ledger.charge(Charge("killed", SAMPLED, 1.0, 0.01, 1))
        released.write(b".")
        os.fsync(released.fileno())
        if step % 10 == 9:
            temporary = saved.with_suffix(".new")
            temporary.write_text(str(done.stat().st_size))
            temporary.replace(saved)
"""


def main() -> None:
    """Runs the trials and writes the row of the table."""
    trials = 5 if "--quick" in sys.argv else 200
    chance, kept, theirs, most = random.Random(0), 0, 0, 0
    with tempfile.TemporaryDirectory() as folder:
        for number in range(trials):
            if number % 40 == 0:
                place = Path(folder) / str(number)
                place.mkdir()
            charged, done, known = trial(place, chance.uniform(0, 0.06))
            kept += charged >= done
            theirs += known >= done
            most = max(most, charged - done)
    print(f"{kept} of {trials} not under-charged; at most {most} updates too many")
    row: dict[str, Any] = {
        "what": f"kill -9 between charge and update, {trials} times: not under-charged",
        "peer": "history in the checkpoint of every tenth update", "ours": kept, "theirs": theirs,
        "ratio": None, "interval": None, "must": f"{trials} of {trials}",
        "aim": f"{trials} of {trials}", "met": kept == trials,
    }  # fmt: skip
    if "--quick" not in sys.argv:
        KEPT.write_text(json.dumps({"rows": [row]}, indent=1) + "\n", encoding="utf-8")


def trial(place: Path, seconds: float) -> tuple[int, int, int]:
    """Updates charged, made, and known to the last checkpoint, after one more kill."""
    from luthier.privacy.ledger import Ledger

    ledger, done, saved = place / "ledger.jsonl", place / "done", place / "saved"
    command = [sys.executable, "-c", CHILD, str(ledger), str(done), str(saved)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()
    time.sleep(seconds)
    child.kill()
    child.wait()
    child.stdout.close()
    charged = sum(c.steps for c in Ledger.open(ledger, "data").charges())
    known = int(saved.read_text()) if saved.exists() else 0
    return charged, done.stat().st_size, known


if __name__ == "__main__":
    main()
