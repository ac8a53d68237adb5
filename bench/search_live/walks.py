"""Ten minutes of a user: sets searched and as they stand, each by one `luthier run`."""

from __future__ import annotations

import json
import os
import random
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ledger as ledgers
import numpy as np
import workers
from intervals import ends

HERE = Path(__file__).resolve().parent
RECORDS = HERE / "records" / "walks"
BUDGET = "10min"


@dataclass(frozen=True)
class Walk:
    """A set, and the families that are left out of the history it is searched with.

    Where one run on two cores would leave no room for another in the budget, `rows` of the training
    rows are used, and texts are cut at `tokens`; rows left over fill the validation part up.
    """

    name: str
    families: tuple[str, ...]
    rows: int | None = None
    tokens: int | None = None

    @property
    def title(self) -> str:
        """Its name, and how it was cut."""
        return self.name if self.rows is None else f"{self.name} ({self.rows} training rows)"


CHECKED = 900
WALKS = (
    Walk("banking77", ("banking77",)),
    Walk("medical_abstracts", ("medical_abstracts",), 600, 64),
    Walk("twitter_financial_sentiment", ("financial_sentiment",), 600, 48),
)


def measure(book: ledgers.Ledger, threads: int, again: bool, work: Path) -> None:
    """Every walk that is not on record, and the lines of all that are."""
    pairs = []
    for walk in WALKS:
        found = [_recorded(walk, budget, threads, again, work) for budget in (BUDGET, "")]
        pairs.append((walk, found[0], found[1]))
        book.add(_row(walk, found[0], found[1]))
    book.add(_count(pairs))


def _recorded(walk: Walk, budget: str, threads: int, again: bool, work: Path) -> dict[str, Any]:
    arm = "searched" if budget else "plain"
    file = RECORDS / f"{walk.name}-{arm}-{threads}.json"
    if file.exists() and not again:
        found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return found
    place = work / f"walk-{walk.name}-{arm}"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    counts = _cut(walk, place)
    given = {"place": str(place), "name": place.name, "threads": threads, "budget": budget,
             "families": walk.families, "tokens": walk.tokens}  # fmt: skip
    load = os.getloadavg()[0]
    found = workers.once("../search_live/ours/walk.py", given, threads)
    about = {"task": walk.name, "budget": budget, "threads": threads, "load_before": round(load, 2),
             "rows": counts, "machine": ledgers.machine(), "commit": ledgers.commit()}  # fmt: skip
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(about | found, indent=1) + "\n", encoding="utf-8")
    shutil.rmtree(place)
    print(f"{place.name}: {len(found['trials'])} trials, test {found['accuracy']:.4f}, "
          f"{found['seconds']:.0f} s", file=sys.stderr, flush=True)  # fmt: skip
    return about | found


def _cut(walk: Walk, place: Path) -> dict[str, int]:
    """Writes the parts into `place`; how many rows each has."""
    parts = {}
    for name in ("train", "validation", "test"):
        file = workers.DATA / walk.name / f"{name}.jsonl"
        parts[name] = [line for line in file.read_text(encoding="utf-8").split("\n") if line]
    if walk.rows is not None:
        random.Random(f"{walk.name} walk").shuffle(parts["train"])
        parts["train"], left = parts["train"][: walk.rows], parts["train"][walk.rows :]
        seen = {_text(line) for lines in parts.values() for line in lines}
        left = [line for line in left if _text(line) not in seen]
        parts["validation"] += left[: max(0, CHECKED - len(parts["validation"]))]
    for name, lines in parts.items():
        (place / f"{name}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return {name: len(lines) for name, lines in parts.items()}


def _text(line: str) -> str:
    return str(json.loads(line)["text"]).strip()


def difference(own: dict[str, Any], plain: dict[str, Any]) -> tuple[float, float, float]:
    """Accuracy on the same test rows, searched less plain, with the ends of its interval (95 %,
    rows drawn anew in pairs)."""
    gap = _bits(own) - _bits(plain)
    return float(gap.mean()), *ends(gap)


def _bits(found: dict[str, Any]) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.asarray([float(c) for c in found["right"]])


def _row(walk: Walk, own: dict[str, Any], plain: dict[str, Any]) -> ledgers.Row:
    _, low, high = difference(own, plain)
    ours, theirs = float(_bits(own).mean()), float(_bits(plain).mean())
    ships = "the recipe ships as it stands" if own["winner"] == "t000" else f"{own['winner']} ships"
    if (own.get("stack") or {}).get("kept"):
        ships = ships.replace(" as it stands", "") + ", joined with words"
    tried = len({t["id"].partition("s")[0] for t in own["trials"]})
    return ledgers.Row(
        f"test accuracy after a search of {BUDGET}, {walk.title}", "luthier run without a search",
        round(ours, 4), round(theirs, 4), round(ours / theirs, 3), (round(low, 4), round(high, 4)),
        f"not below beyond the interval; {tried} tried, {ships}", "above beyond it", high >= 0,
    )  # fmt: skip


def _count(pairs: list[tuple[Walk, dict[str, Any], dict[str, Any]]]) -> ledgers.Row:
    above = sum(difference(own, plain)[1] > 0 for _, own, plain in pairs)
    return ledgers.Row(
        f"sets of {len(pairs)} on which a search of {BUDGET} ends above the recipe as it stands, "
        "beyond the interval", "luthier run without a search", float(above), None, None, None,
        "at least 1", "at least 1", above >= 1,
    )  # fmt: skip
