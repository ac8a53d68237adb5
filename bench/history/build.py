"""Makes the starter history of the package from the recorded curves.

    python bench/history/build.py

What belongs to single rows stays out: the package carries scores, losses and costs only. Final
scores are those on all rows, test rows included, as nothing is chosen by them any more.
"""

from __future__ import annotations

import gzip
import json
import math
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "search_replay"))

from tables import over_all_rows  # noqa: E402

from luthier.search.history.past import record_to_dict  # noqa: E402
from luthier.search.history.record import PastPoint, PastTrial, TaskRecord  # noqa: E402

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
    finals = over_all_rows([measured(line) for line in lines], head["rows"])
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
        trials=tuple(map(trial, lines, finals)),
        rows=head["rows"]["validation"] + head["rows"]["test"],
        origin="starter",
        facts={"rows": json.dumps(head["rows"]), "epochs": str(head["epochs"])},
    )


def measured(line: dict[str, Any]) -> tuple[float, float, float]:
    """Final scores on both halves of the validation rows and on the test rows; NaN where the
    configuration diverged."""
    last = line["curve"][-1]
    first, second, test = (last.get(name, math.nan) for name in ("score", "second", "test"))
    return first, second, test


def trial(line: dict[str, Any], final: float) -> PastTrial:
    """One recorded configuration."""
    points = [p for p in line["curve"] if not p.get("diverged")]
    scores = [p["score"] for p in points]
    if math.isfinite(final):
        scores[-1] = final
    curve = tuple(
        PastPoint(p["unit"], score, p["loss"], p["train_loss"], p["cost"])
        for p, score in zip(points, scores, strict=True)
    )
    return PastTrial(line["config"], curve, "recorded", 0, len(points) < len(line["curve"]))


if __name__ == "__main__":
    sys.exit(main())
