"""Labels to a target, shares saved, and how often forecasts held, with intervals over draws."""

from __future__ import annotations

from typing import Any

import numpy as np

TARGETS = (0.95, 0.9)
"""Shares of the macro-F1 that the same probe reaches with every row labelled."""
DRAWS = 2000
METHODS = ("ours", "random", "margin")
Found = dict[str, dict[str, Any]]


def rows(found: Found) -> list[dict[str, Any]]:
    """The lines of results.json."""
    lines = []
    for share in TARGETS:
        for peer in ("random", "margin"):
            lines.append(_saved(found, share, peer))
    held = [held_ for name in found for held_ in forecasts(found[name])]
    for times in (None, 1.5, 2.0, 4.0):
        lines.append(_coverage(held, times))
    return lines


def _saved(found: Found, share: float, peer: str) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    counted = {n: (reach(f, "ours", share), reach(f, peer, share)) for n, f in found.items()}
    saved = float(np.mean([1 - ours / theirs for ours, theirs in counted.values()]))
    draws = np.empty(DRAWS // 10)
    for i in range(len(draws)):
        parts = []
        for each in found.values():
            pick = rng.integers(0, len(each["ours"]), len(each["ours"]))
            parts.append(1 - reach(each, "ours", share, pick) / reach(each, peer, share, pick))
        draws[i] = np.mean(parts)
    low, high = np.quantile(draws, [0.025, 0.975])
    must = 0.35 if peer == "random" and share == TARGETS[0] else 0.0
    aim = "0.50" if must else "—"
    return {
        "what": f"labels to {share:.0%} of the macro-F1 of all labels, mean of {len(found)} sets "
        "(ratio: share saved)",
        "peer": "rows by lot" if peer == "random" else "plain margin",
        "ours": float(np.mean([ours for ours, _ in counted.values()])),
        "theirs": float(np.mean([theirs for _, theirs in counted.values()])),
        "ratio": saved,
        "interval": [float(low), float(high)],
        "must": f"at least {must:.2f}" if must else "at least 0",
        "aim": aim,
        "met": bool(saved >= must),
    }


def reach(each: dict[str, Any], method: str, share: float, pick: Any = None) -> float:
    """Labels from which the mean curve of the draws stays at the target or above, between points
    linearly; the last number of labels where it never does."""
    replays = each[method] if pick is None else [each[method][i] for i in pick]
    longest = max(replays, key=lambda r: r["curve"][-1][0])["curve"]
    sizes = [point[0] for point in longest]
    # A replay that ended early had passed the target: its last value stands for the rest.
    values = np.mean(
        [[r["curve"][min(i, len(r["curve"]) - 1)][1] for i in range(len(sizes))] for r in replays],
        axis=0,
    )
    target = share * each["whole"]
    below = np.flatnonzero(values < target)
    if not len(below):
        return 1.0
    last = int(below[-1])
    if last == len(sizes) - 1:
        return float(sizes[-1])
    part = (target - values[last]) / (values[last + 1] - values[last])
    return float(sizes[last] + part * (sizes[last + 1] - sizes[last]))


def forecasts(each: dict[str, Any]) -> list[dict[str, Any]]:
    """Forecasts whose number of labels the replay came to, with what was true then."""
    told = []
    for line in each["ours"]:
        sizes, values = np.asarray(line["beside"]).T
        for f in line["forecasts"]:
            wanted = f["at"] * f["times"]
            if wanted <= sizes[-1]:
                true = float(np.interp(wanted, sizes, values))
                told.append(f | {"true": true, "held": f["low"] <= true <= f["high"]})
    return told


def _coverage(held: list[dict[str, Any]], times: float | None) -> dict[str, Any]:
    some = [h for h in held if times is None or h["times"] == times]
    share = float(np.mean([h["held"] for h in some])) if some else 0.0
    width = float(np.mean([h["high"] - h["low"] for h in some])) if some else 0.0
    ahead = "all distances" if times is None else f"{times:g} times the labels"
    return {
        "what": f"share of 80 % intervals of the forecast that hold, {ahead} "
        f"({len(some)} forecasts, {100 * width:.1f} points wide)",
        "peer": "promised",
        "ours": share,
        "theirs": 0.8,
        "ratio": share / 0.8,
        "interval": None,
        "must": "0.72 to 0.88",
        "aim": "—",
        "met": bool(0.72 <= share <= 0.88),
    }


def further(found: Found) -> str:
    """Labels to each target by set, and how forecasts held by set."""
    head = "| set | classes | macro-F1 of all | " + " | ".join(
        f"{m}, {s:.0%}" for s in TARGETS for m in METHODS
    )
    lines = [
        head + " | saved, 95% | forecasts that held |",
        "|" + "---|" * (5 + len(TARGETS) * len(METHODS)),
    ]
    for name, each in found.items():
        counts = [reach(each, m, s) for s in TARGETS for m in METHODS]
        told = forecasts(each)
        share = f"{np.mean([t['held'] for t in told]):.2f} of {len(told)}" if told else "—"
        cells = [name, str(each["classes"]), f"{each['whole']:.3f}", *(f"{c:.0f}" for c in counts)]
        lines.append(f"| {' | '.join(cells)} | {1 - counts[0] / counts[1]:.0%} | {share} |")
    return "\n".join(lines)
