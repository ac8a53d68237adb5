"""From cells to the lines of the table; cells that were lost are named."""

from __future__ import annotations

from typing import Any

import numpy as np

PEERS = ("scikit-learn probe", "scikit-learn TF-IDF")
Cells = dict[tuple[str, str], list[dict[str, Any]]]


def rows(cells: Cells) -> list[dict[str, Any]]:
    """Accuracy, macro-F1 and calibration by budget, the regret of the choice, and lost cells."""
    found: list[dict[str, Any]] = []
    for metric, scale in (("accuracy", 100.0), ("macro_f1", 100.0)):
        for peer in PEERS:
            found += [r for b in budgets(cells) if (r := _against(cells, b, peer, metric, scale))]
    found += [r for b in ("8", "16", "32") if (r := _calibration(cells, b))]
    found += [_regret(cells, "ladder"), _regret(cells, "stacked"), _regret(cells, "linear probe")]
    return [*found, *_with_pool(cells), *_lost(cells)]


def budgets(cells: Cells) -> list[str]:
    """The budgets in the order they were measured."""
    return list(dict.fromkeys(budget for _, budget in cells))


def values(cell: list[dict[str, Any]], method: str, metric: str) -> np.ndarray | None:
    """A method's metric in each draw, or None where it can't be had."""
    if any(method not in draw["methods"] for draw in cell):
        return None
    return np.asarray([draw["methods"][method][metric] for draw in cell])


def _against(
    cells: Cells, budget: str, peer: str, metric: str, scale: float
) -> dict[str, Any] | None:
    ours, theirs = [], []
    for (_, b), cell in cells.items():
        mine, other = values(cell, "ladder", metric), values(cell, peer, metric)
        if b == budget and mine is not None and other is not None:
            ours.append(scale * mine.mean())
            theirs.append(scale * other.mean())
    if not ours:
        return None
    apart = np.asarray(ours) - np.asarray(theirs)
    named = budget if budget.endswith("%") else f"{budget} per class"
    draws = sorted({len(cell) for (_, b), cell in cells.items() if b == budget})
    times = f"{draws[0]} to {draws[-1]} draws" if draws[1:] else drawn(draws[0])
    return _row(
        f"{metric.replace('_', '-')} at {named}, mean of {len(ours)} sets, {times}", peer,
        np.mean(ours),
        np.mean(theirs), interval=_ends(apart), must="above", met=bool(apart.mean() > 0),
    )  # fmt: skip


def _calibration(cells: Cells, budget: str) -> dict[str, Any] | None:
    pairs = [
        (100 * mine.mean(), 100 * raw.mean())
        for (_, b), cell in cells.items()
        if b == budget
        and (mine := values(cell, "ladder", "ece")) is not None
        and (raw := values(cell, "scikit-learn probe", "ece")) is not None
    ]
    if not pairs:
        return None
    ours, theirs = np.mean(pairs, axis=0)
    return _row(
        f"calibration error at {budget} per class, points", "scikit-learn probe", ours, theirs,
        ratio=round(ours / theirs, 2), must="at most 0.5x", aim="0.33x", met=ours / theirs <= 0.5,
    )  # fmt: skip


def _regret(cells: Cells, method: str) -> dict[str, Any]:
    """Points of accuracy below the best of all methods in hindsight, over cells with labels."""
    lost = []
    for (_, budget), cell in cells.items():
        mine = values(cell, method, "accuracy")
        if budget == "0" or mine is None:
            continue
        names = [m for m in cell[0]["methods"] if m != "ladder"]
        best = max(v.mean() for m in names if (v := values(cell, m, "accuracy")) is not None)
        lost.append(100 * (best - mine.mean()))
    must = {"must": "at most 1.0", "aim": "0.5", "met": float(np.mean(lost)) <= 1.0}
    return _row(
        "points below the best method in hindsight"
        + ("" if method == "ladder" else f", always {method}"),
        "best in hindsight", np.mean(lost), 0.0, interval=_ends(np.asarray(lost)),
        **(must if method == "ladder" else {}),
    )  # fmt: skip


def _with_pool(cells: Cells) -> list[dict[str, Any]]:
    """The self-trained rung against the stacked one, always taken: what its credit rests on."""
    found = []
    for said, among in (("1 to 16", ("1", "2", "4", "8", "16")), ("32 and 64", ("32", "64"))):
        by_set: dict[str, list[tuple[float, float]]] = {}
        for (name, budget), cell in cells.items():
            own, plain = (values(cell, m, "accuracy") for m in ("self-trained", "stacked"))
            if budget in among and own is not None and plain is not None:
                by_set.setdefault(name, []).append((100 * own.mean(), 100 * plain.mean()))
        if len(by_set) < 2:
            continue
        both = np.asarray([np.mean(pairs, axis=0) for pairs in by_set.values()])
        apart = both[:, 0] - both[:, 1]
        what = (
            f"accuracy of self-trained, always taken, at {said} per class, mean of {len(both)} "
            f"sets (deviation of its gain: {apart.std(ddof=1):.2f})"
        )
        found.append(_row(what, "always stacked", *both.mean(axis=0), interval=_ends(apart)))
    return found


def _lost(cells: Cells) -> list[dict[str, Any]]:
    """Cells in which a peer is better on the mean, each by name, and how many were won. A cell of
    one draw has no interval: there anything below counts as lost."""
    lines, level, best, total = [], 0, 0, 0
    for (name, budget), cell in cells.items():
        mine = values(cell, "ladder", "accuracy")
        others = {p: v for p in PEERS if (v := values(cell, p, "accuracy")) is not None}
        if mine is None or not others:
            continue
        peer = max(others, key=lambda p: float(others[p].mean()))
        apart = 100 * (mine - others[peer])
        ends = _ends(apart) if len(apart) > 1 else None
        held = bool(apart.mean() >= 0 or (ends is not None and ends[1] >= 0))
        total, level, best = total + 1, level + held, best + (apart.mean() >= 0)
        if apart.mean() < 0:
            what = f"accuracy, {name}, {budget}, {drawn(len(apart))}: below"
            told = {"interval": ends, "must": "not beyond the interval", "met": held}
            theirs = 100 * others[peer].mean()
            lines.append(_row(what, peer, 100 * mine.mean(), theirs, **told))
    both = "the better of both"
    shares = (100 * level / max(1, total), 100 * best / max(1, total))
    head = [
        _row(
            f"cells in which the ladder is not below beyond the interval, % of {total}", both,
            shares[0], None, must="100", met=level == total,
        ),
        _row(
            f"cells in which the ladder is the best, % of {total}", both, shares[1], None,
            aim="80",
        ),
    ]  # fmt: skip
    return [*head, *lines]


def drawn(count: int) -> str:
    """
    >>> drawn(1), drawn(3)
    ('1 draw', '3 draws')
    """
    return f"{count} draw{'s' * (count > 1)}"


def _ends(apart: np.ndarray) -> list[float]:
    random = np.random.default_rng(0)
    means = apart[random.integers(0, len(apart), (2000, len(apart)))].mean(axis=1)
    return [round(float(x), 2) for x in np.quantile(means, (0.025, 0.975))]


def _row(what: str, peer: str, ours: Any, theirs: Any, **more: Any) -> dict[str, Any]:
    plain = {"ratio": None, "interval": None, "must": "reported", "aim": "—", "met": True}
    line = {
        "what": what,
        "peer": peer,
        "ours": round(float(ours), 2),
        "theirs": None if theirs is None else round(float(theirs), 2),
    }
    return line | plain | {k: bool(v) if k == "met" else v for k, v in more.items()}
