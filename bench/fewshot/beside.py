"""Lines of the table about SetFit, Trainer and the tuned encoder, from the cells there are."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np

from luthier.data.feed.batches import BatchPlan
from luthier.data.feed.ragged import Ragged
from luthier.fewshot.tuning.batches import ClassBatches, labelled

TIMED = ("banking77", "8", 0)
"""Set, budget and draw at which seconds are compared."""


COUNTED = 10
"""Cells with the tuned rung below which they are not counted: the first ones were not drawn."""


def lines(cells: dict[str, dict[str, dict[str, Any]]]) -> list[dict[str, Any]]:
    """Every cell that both sides have, the mean of them, seconds, and a tenth against all."""
    theirs, tuned, plain = (cells[kind] for kind in ("elsewhere", "tuned", "ladder"))
    found: list[dict[str, Any]] = []
    for peer, said in (("setfit", "SetFit 1.2"), ("trainer", "Trainer, all parameters")):
        found += _apart(_pairs(theirs, tuned, plain, peer), said)
        found += _apart(_pairs(theirs, tuned, plain, peer, "macro_f1"), said, "macro-F1")
    found += [*_seconds(theirs, tuned), *_tenth(theirs, tuned, plain), *_tuning(tuned, plain)]
    found += _ordinary(cells["ordinary"], tuned, plain)
    return [*found, memory()]


def _ordinary(
    cells: dict[str, Any], tuned: dict[str, Any], plain: dict[str, Any]
) -> list[dict[str, Any]]:
    """Ordinary training with our own defaults, where labels are no longer few."""
    found = []
    for name, cell in cells.items():
        mine, (task, budget, draw) = _ours(name, tuned, plain), name.rsplit("-", 2)
        if mine is not None:
            said = budget.replace("p", " %") if budget.endswith("p") else f"{budget} per class"
            what = f"accuracy of the ladder, {task}, {said}, draw {draw}"
            found.append(row_of(what, "ordinary training", mine, 100 * cell["accuracy"]))
    return found


def _ours(
    name: str, tuned: dict[str, Any], plain: dict[str, Any], metric: str = "accuracy"
) -> float | None:
    """The ladder's metric in points: with the tuned rung where that was measured."""
    if name in tuned:
        return 100 * float(tuned[name]["ladder"][metric])
    if name in plain:
        return 100 * float(plain[name]["methods"]["ladder"][metric])
    return None


def _pairs(
    theirs: dict[str, Any],
    tuned: dict[str, Any],
    plain: dict[str, Any],
    peer: str,
    metric: str = "accuracy",
) -> dict[tuple[str, str], list[tuple[float, float]]]:
    """The metric of both by set and budget, one pair for each draw."""
    found: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for name, cell in theirs.items():
        method, task = name.split("-", 1)
        mine = _ours(task, tuned, plain, metric)
        if method == peer and mine is not None and not task.endswith("-all-0"):
            key = tuple(task.rsplit("-", 2)[:2])
            found.setdefault(key, []).append((mine, 100 * cell[metric]))  # type: ignore[arg-type]
    return found


def _apart(
    pairs: dict[tuple[str, str], list[tuple[float, float]]], peer: str, metric: str = "accuracy"
) -> list[dict[str, Any]]:
    """The mean over sets at each budget; by accuracy also each set, lost ones included."""
    told = []
    for budget in dict.fromkeys(b for _, b in pairs):
        means = {n: np.mean(p, axis=0) for (n, b), p in pairs.items() if b == budget}
        both = np.asarray(list(means.values()))
        told.append(
            row_of(
                f"{metric} at {budget} per class, mean of {len(both)} sets",
                peer,
                both[:, 0].mean(),
                both[:, 1].mean(),
                interval=span(both[:, 0] - both[:, 1]),
                must="above",
                met=both[:, 0].mean() > both[:, 1].mean(),
            )
        )
        for name, (mine, other) in means.items() if metric == "accuracy" else ():
            draws = len(pairs[name, budget])
            what = f"accuracy, {name}, {budget} per class, {draws} draw{'s' * (draws > 1)}"
            told.append(row_of(what, peer, mine, other, must="not below", met=mine >= other))
    return told


def _seconds(theirs: dict[str, Any], tuned: dict[str, Any]) -> list[dict[str, Any]]:
    """CPU seconds to SetFit's accuracy, reading the texts with the encoder included."""
    name = "-".join(map(str, TIMED))
    if f"setfit-{name}" not in theirs or "reading" not in tuned.get(name, {}):
        return []
    peer, own = theirs[f"setfit-{name}"], tuned[name]
    told = []
    limits = {"must": "at most 0.05x", "aim": "0.02x"}
    for label, cell, seconds in (
        ("encoder left alone (fewshot.minutes: 0)", own["frozen"], own["frozen"]["seconds"]),
        ("encoder tuned too, to the end", own["ladder"], own["seconds"]),
    ):
        reached = cell["accuracy"] >= peer["accuracy"]
        what = f"CPU seconds to SetFit's accuracy, banking77, 8 per class, {label}"
        what += "" if reached else " (not reached)"
        mine = seconds + own["reading"]
        ratio = mine / peer["seconds"]
        told.append(
            row_of(
                what,
                "SetFit 1.2",
                mine,
                peer["seconds"],
                ratio=round(ratio, 3),
                **limits,
                met=reached and ratio <= 0.05,
            )
        )
    return told


def _tenth(
    theirs: dict[str, Any], tuned: dict[str, Any], plain: dict[str, Any]
) -> list[dict[str, Any]]:
    """The ladder's accuracy with a tenth of the labels over that of Trainer with all of them."""
    told, shares = [], []
    for name, cell in theirs.items():
        if not name.startswith("trainer-") or not name.endswith("-all-0"):
            continue
        task = name.removeprefix("trainer-").removesuffix("-all-0")
        mine = _ours(f"{task}-10p-0", tuned, plain)
        if mine is None:
            continue
        other = 100 * cell["accuracy"]
        shares.append(mine / other)
        told.append(
            row_of(
                f"accuracy with 10 % of the labels over all, {task}",
                "Trainer, all parameters",
                mine,
                other,
                ratio=round(mine / other, 3),
            )
        )
    if shares:
        share = float(np.mean(shares))
        what = "accuracy with 10 % of the labels over all, mean ratio of the sets above"
        more = {"ratio": round(share, 3), "must": "at least 0.95", "aim": "1.00 on half"}
        told.append(row_of(what, "Trainer, all parameters", share, 1.0, **more, met=share >= 0.95))
    return told


def _tuning(tuned: dict[str, Any], plain: dict[str, Any]) -> list[dict[str, Any]]:
    """What tuning the encoder changed, where it was taken."""
    told: list[dict[str, Any]] = _alone(tuned)
    for name, cell in tuned.items():
        if cell["rung"] != "tuned":
            continue
        before = 100 * cell["frozen"]["accuracy"]
        after = 100 * cell["ladder"]["accuracy"]
        task, budget, _ = name.rsplit("-", 2)
        what = f"accuracy where the tuned rung was taken, {task}, {budget.replace('p', ' %')}"
        told.append(
            row_of(what, "ladder without it", after, before, must="above", met=after > before)
        )
    if len(tuned) < COUNTED:
        return told
    tried = sum(any(d["gain"] for d in cell["decisions"]) for cell in tuned.values())
    taken = sum(cell["rung"] == "tuned" for cell in tuned.values())
    return [row_of("cells in which tuning was tried, and taken (theirs)", "—", tried, taken), *told]


def _alone(tuned: dict[str, Any]) -> list[dict[str, Any]]:
    """What the tuned rung brings where it is always taken: what its credit rests on."""
    both = {n: (c["tuned"], c["frozen"]) for n, c in tuned.items() if "tuned" in c}
    if not both:
        return []
    pairs = np.asarray([[100 * side["accuracy"] for side in pair] for pair in both.values()])
    apart = pairs[:, 0] - pairs[:, 1]
    names = np.asarray([name.rsplit("-", 2)[0] for name in both])
    by_set = [apart[names == name].mean() for name in dict.fromkeys(names)]
    spread = float(np.std(by_set, ddof=1)) if len(by_set) > 1 else float("nan")
    what = (
        f"accuracy of the tuned rung, always taken, mean of {len(both)} cells (its gain by set: "
        f"{np.mean(by_set):.2f}, deviation {spread:.2f})"
    )
    return [row_of(what, "ladder without it", *pairs.mean(0), interval=span(apart))]


def memory() -> dict[str, Any]:
    """Peak bytes of making an epoch's batches for 10,000 rows over those for 5,000."""
    peaks = [_peak(rows) for rows in (10_000, 5_000)]
    ratio = peaks[0] / peaks[1]
    what = "MB to draw the batches of an epoch, 10,000 rows against 5,000 (theirs)"
    told = {"ratio": round(ratio, 2), "must": "at most 2.2x (linear)", "met": ratio <= 2.2}
    return row_of(what, "itself", peaks[0] / 1e6, peaks[1] / 1e6, **told)


def _peak(rows: int) -> int:
    truth = np.arange(rows) % 77
    encoded = labelled(Ragged.pack([[1, 2, 3]] * rows, "int32"), truth, np.ones(rows))
    tracemalloc.start()
    ClassBatches(encoded, BatchPlan(32, 0, 0)).at(0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def span(apart: np.ndarray) -> list[float] | None:
    """Ends of the 95 % interval of the mean of differences (N,); None of fewer than two."""
    if len(apart) < 2:
        return None
    random = np.random.default_rng(0)
    means = apart[random.integers(0, len(apart), (2000, len(apart)))].mean(axis=1)
    return [round(float(x), 2) for x in np.quantile(means, (0.025, 0.975))]


def row_of(what: str, peer: str, ours: float, theirs: float, **more: Any) -> dict[str, Any]:
    """A line of the table."""
    plain = {"ratio": None, "interval": None, "must": "reported", "aim": "—", "met": True}
    line = {
        "what": what,
        "peer": peer,
        "ours": round(float(ours), 3),
        "theirs": round(float(theirs), 3),
    }
    return line | plain | {k: bool(v) if k == "met" else v for k, v in more.items()}
