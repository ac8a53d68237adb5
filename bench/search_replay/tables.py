"""Recorded learning curves as tables that methods are replayed on; needs numpy and nothing else."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

RECORDS = Path(__file__).resolve().parent.parent / "history" / "records"
UNITS = 16
DECISIONS = (1, 2, 4, 8, 16)
DEPTH = "depth"

NUMBERS = {
    "rate_offset": (-1.5, 1.5, False),
    "train.optimizer.weight_decay": (1e-4, 0.3, True),
}
"""Lowest and highest value of a number, and whether it lies on a logarithmic scale."""

OPTIONS: dict[str, tuple[float, ...]] = {
    "train.batch_size": (8, 16, 32, 64),
    "train.schedule.warmup": (0.03, 0.06, 0.1),
    "adapter.rank": (4, 8, 16, 32, 64),
    "adapter.dropout": (0.0, 0.05, 0.1, 0.2),
    "adapter.b_rate": (1.0, 4.0, 16.0),
    "train.head_rate": (1.0, 3.0, 10.0),
    "train.probe_start": (0.3, 1.0),
}
SEARCHED = (*NUMBERS, *OPTIONS)

Config = Mapping[str, Any]

FOLDS = 10
"""Parts of the test rows, and how often they are divided."""

FIRST = 3.0
"""A first unit that took so many times as long as usual also filled the shared cache."""


@dataclass(frozen=True, eq=False)
class Point:
    """What one look showed. `cost` is in CPU seconds since the beginning of the trial."""

    unit: int
    score: float
    loss: float
    train_loss: float
    cost: float
    losses: NDArray[np.float32]
    right: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Entry:
    """One recorded configuration. `second` and `test` are scores after all units; they are NaN
    where it diverged after `diverged` units. `test_right` says of each test row whether its answer
    was right."""

    key: str
    config: Config
    points: tuple[Point, ...]
    second: float
    second_right: NDArray[np.bool_] | None
    test: float
    test_right: NDArray[np.bool_] | None
    diverged: int | None

    @property
    def final(self) -> float:
        """Score on the first half of the validation rows after all units; NaN if it diverged."""
        return self.points[-1].score if self.diverged is None else float("nan")

    def at(self, unit: int) -> Point | None:
        """What was seen after so many units; None when it had diverged."""
        return next((p for p in self.points if p.unit == unit), None)

    def cost(self, unit: int) -> float:
        """CPU seconds of so many units; for a diverged one as far as it came."""
        known = [p for p in self.points if p.unit <= unit]
        if self.diverged is None or unit < self.diverged:
            return known[-1].cost if known else 0.0
        each = known[-1].cost / known[-1].unit if known else 1.0
        return each * self.diverged

    def cost_between(self, before: int, unit: int) -> float:
        """CPU seconds from one look to another, which may leave out recorded looks between."""
        passed = sum(1 for u in DECISIONS if before < u < unit)
        begun = self.cost(before) if before else 0.0
        return self.cost(unit) - begun - passed * self.look

    @cached_property
    def look(self) -> float:
        """CPU seconds of looking once, by a line through what so many units and looks took."""
        if len(self.points) < 3:
            return 0.0
        parts = [(float(p.unit), 1.0 + place) for place, p in enumerate(self.points)]
        found = np.linalg.lstsq(np.asarray(parts), [p.cost for p in self.points])[0]
        return max(0.0, float(found[1]))


@dataclass(frozen=True, eq=False)
class Table:
    """All that is recorded of a task at one depth; the first entry is the default."""

    name: str
    family: str
    head: Mapping[str, Any]
    entries: tuple[Entry, ...]

    @cached_property
    def full(self) -> float:
        """CPU seconds of one whole training of the default."""
        return self.entries[0].cost(UNITS)

    @cached_property
    def tests(self) -> NDArray[np.float64]:
        """Test scores (N,); NaN where an entry diverged."""
        return np.asarray([e.test for e in self.entries])

    @cached_property
    def finals(self) -> NDArray[np.float64]:
        """Final scores on the choosing rows (N,)."""
        return np.asarray([e.final for e in self.entries])

    @cached_property
    def measured(self) -> NDArray[np.float64]:
        """Final scores (N,) as a past task hands them on: `over_all_rows`; NaN where one
        diverged."""
        parts = [(e.final, e.second, e.test) for e in self.entries]
        return np.asarray(over_all_rows(parts, self.head["rows"]))

    @property
    def best(self) -> int:
        """The entry with the highest test score."""
        return int(np.nanargmax(self.tests))

    @cached_property
    def likely_best(self) -> float:
        """Test score of the best entry on test rows that did not choose it: ten parts of the rows,
        each scored by the entry that is best on the other nine, ten times divided anew.

        The highest of many scores on the same rows is the highest by luck to a part; this is not.
        """
        kept = [e.test_right for e in self.entries if e.test_right is not None]
        if not kept:
            return float(self.tests[self.best])
        right, random = np.asarray(kept, np.float64), np.random.default_rng(0)
        rows = right.shape[1]
        found = 0.0
        for _ in range(FOLDS):
            for part in np.array_split(random.permutation(rows), FOLDS):
                others = right.sum(1) - right[:, part].sum(1)
                found += right[int(others.argmax()), part].sum()
        return float(found / rows / FOLDS)

    @cached_property
    def places(self) -> NDArray[np.float64]:
        """Coordinates of the entries (N, K)."""
        return np.asarray([encoded(e.config) for e in self.entries])

    @property
    def digest(self) -> str:
        """Changes when more is recorded."""
        keys = [[e.key, e.final, e.test] for e in self.entries]
        return hashlib.sha256(json.dumps(keys).encode()).hexdigest()[:12]

    def nearest(self, config: Config, tried: set[int]) -> int | None:
        """The untried entry next to a configuration; None when all are tried."""
        gaps = ((self.places - encoded(config)) ** 2).sum(1)
        gaps[list(tried)] = np.inf
        place = int(np.argmin(gaps))
        return place if np.isfinite(gaps[place]) else None


def encoded(config: Config) -> NDArray[np.float64]:
    """Coordinates (K,) in the unit cube; options lie evenly on a line."""
    found = []
    for name, (low, high, log) in NUMBERS.items():
        scale = np.log10 if log else float
        found.append((scale(config[name]) - scale(low)) / (scale(high) - scale(low)))
    for name, options in OPTIONS.items():
        place = min(range(len(options)), key=lambda i: abs(options[i] - config[name]))
        found.append(place / (len(options) - 1))
    return np.asarray(found, np.float64)


def over_all_rows(
    parts: Sequence[tuple[float, float, float]], rows: Mapping[str, int]
) -> list[float]:
    """Final scores of a task's configurations, the default first, by all rows that measured them:
    on a past task no row has to be kept back. `parts` are scores on the first and the second half
    of the validation rows and on the test rows; the level stays that of the first half, which is
    what the curves before were measured on. NaN where a part is.
    """
    half = rows["validation"] // 2
    counts = (half, rows["validation"] - half, rows["test"])
    means = np.average(np.asarray(parts, np.float64), axis=1, weights=counts)
    levelled = np.clip(parts[0][0] + means - means[0], 0.0, 1.0)
    return [float(value) for value in levelled]


def read(depth: str = "s", least: int = 8, folder: Path = RECORDS) -> list[Table]:
    """Every task with at least `least` records whose key begins with `depth` (`s`: a third of the
    layers, `d`: all), the default among them."""
    found = []
    for file in sorted(folder.glob("*.jsonl")):
        lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        head, rest = lines[0], [line for line in lines[1:] if line["key"][0] == depth]
        rest.sort(key=lambda line: line["key"])
        if len(rest) < least or rest[0]["key"] != f"{depth}000":
            continue
        entries = [_entry(line, head["rows"]) for line in rest]
        found.append(Table(head["task"], head["family"], head, _without_setting_up(entries)))
    return found


def _entry(line: Mapping[str, Any], rows: Mapping[str, int]) -> Entry:
    half = rows["validation"] // 2
    seen = [p for p in line["curve"] if not p.get("diverged")]
    lost = next((p["unit"] for p in line["curve"] if p.get("diverged")), None)
    points = tuple(
        Point(
            p["unit"], p["score"], p["loss"], p["train_loss"], p["cost"],
            _halves(p["losses"]), _bits(p["right"], half),
        )
        for p in seen
    )  # fmt: skip
    last = seen[-1] if seen and lost is None else {}
    right = last.get("second_right")
    return Entry(
        line["key"],
        line["config"],
        points,
        last.get("second", float("nan")),
        _bits(right, rows["validation"] - half) if right else None,
        last.get("test", float("nan")),
        _bits(last["test_right"], rows["test"]) if "test_right" in last else None,
        lost,
    )


def _without_setting_up(entries: Sequence[Entry]) -> tuple[Entry, ...]:
    """The first trial of a recording also fills the cache that all share: not its own cost."""
    firsts = [e.points[0].cost for e in entries if e.points]
    usual = float(np.median(firsts))
    found = []
    for entry in entries:
        more = entry.points[0].cost - usual if entry.points else 0.0
        if more > (FIRST - 1) * usual:
            points = tuple(Point(**{**vars(p), "cost": p.cost - more}) for p in entry.points)
            entry = Entry(**{**vars(entry), "points": points})
        found.append(entry)
    return tuple(found)


def _halves(text: str) -> NDArray[np.float32]:
    return np.frombuffer(base64.b64decode(text), np.float16).astype(np.float32)


def _bits(text: str, count: int) -> NDArray[np.bool_]:
    packed = np.frombuffer(base64.b64decode(text), np.uint8)
    return np.unpackbits(packed)[:count].astype(bool)
