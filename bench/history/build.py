"""Makes the starter history of the package from the recorded curves.

    python bench/history/build.py

What belongs to single rows stays out: the package carries scores, losses and costs only.
"""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path
from typing import Any

from luthier.search.history.past import record_to_dict
from luthier.search.history.record import PastPoint, PastTrial, TaskRecord

HERE = Path(__file__).resolve().parent
TARGET = HERE.parents[1] / "src/luthier/search/history/starter/history.jsonl.gz"
FEWEST = 8
"""Configurations below which a task stays out."""


def main() -> int:
    """Writes the file and says what is in it."""
    records = [read(file) for file in sorted((HERE / "records").glob("*.jsonl"))]
    kept = [record for record in records if len(record.trials) >= FEWEST]
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    lines = "".join(json.dumps(record_to_dict(r), sort_keys=True) + "\n" for r in kept)
    # Without a time stamp the same records always give the same bytes.
    with TARGET.open("wb") as file, gzip.GzipFile(fileobj=file, mode="wb", mtime=0) as packed:
        packed.write(lines.encode())
    for record in kept:
        print(f"{record.id}: {len(record.trials)} trials")
    size, short = TARGET.stat().st_size / 1000, len(records) - len(kept)
    print(f"{size:.0f} kB, {len(kept)} tasks, {short} left out")
    return 0


def read(file: Path) -> TaskRecord:
    """A recorded task as the search reads it."""
    head, *lines = map(json.loads, file.read_text(encoding="utf-8").splitlines())
    return TaskRecord(
        id=f"starter:{head['task']}",
        family=head["family"],
        kind="classify",
        base=head["base"],
        metric=head["metric"],
        share=True,
        direction="higher",
        anchor=head["anchor"],
        features=head["features"],
        trials=tuple(trial(line) for line in lines),
        rows=head["rows"]["validation"] // 2,
        origin="starter",
        facts={"rows": json.dumps(head["rows"]), "epochs": str(head["epochs"])},
    )


def trial(line: dict[str, Any]) -> PastTrial:
    """One recorded configuration."""
    points = [p for p in line["curve"] if not p.get("diverged")]
    curve = tuple(
        PastPoint(p["unit"], p["score"], p["loss"], p["train_loss"], p["cost"]) for p in points
    )
    return PastTrial(line["config"], curve, "recorded", 0, len(points) < len(line["curve"]))


if __name__ == "__main__":
    sys.exit(main())
