"""The rows of results.json, and the further tables of the README."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from ledger import Row
from measures import MARKS, RESOLUTION, Replayed, of, ranks, saved
from tables import Table

Found = Mapping[str, Sequence[Sequence[Replayed]]]
BOUNDS = {"Optuna TPE + Hyperband": (0.6, 0.4, 0.8), "Optuna GP": (0.4, 0.2, 0.6)}
"""Share of compute to save: at least, lower bound of the interval above, aim."""
SMALL = "ours, the usual budget"
"""Replayed with six trainings and not twelve, as a recipe that names no budget has them."""
SLOWER = 0.15
WORSE = (0.03, 0.01)
FIRST = 0.7
BILL = 1.5


def rows(found: Found, tables: Sequence[Table]) -> list[Row]:
    """Compute saved against every peer, then the ablations and the risks."""
    peers = [name for name in found if not name.startswith("ours")]
    return [
        *_against(found, "ours", peers),
        *_by_likely_best(found, peers),
        *_ablations(found),
        *_risks(found),
    ]


def _against(found: Found, own: str, peers: Sequence[str]) -> list[Row]:
    lines, ours = [], of(found[own], "reached")
    for peer in peers:
        share, (low, high) = saved(ours, of(found[peer], "reached"))
        must, bound, aim = BOUNDS.get(peer, (None, None, None))
        met = share >= (must or 0) and low > (bound if must else -np.inf)
        lines.append(
            Row(
                "trainings until a model within 1 point of the best is chosen (ratio: share saved)",
                peer, _short(ours.mean()), _short(of(found[peer], "reached").mean()),
                _short(share), (_short(low), _short(high)),
                f"at least {must:g}, lower bound above {bound:g}" if must else "at least 0",
                f"at least {aim:g}" if aim else "—", met,
            )
        )  # fmt: skip
    return lines


def _by_likely_best(found: Found, peers: Sequence[str]) -> list[Row]:
    lines, ours = [], of(found["ours"], "proven")
    for peer in (p for p in peers if p in BOUNDS):
        theirs = of(found[peer], "proven")
        share, (low, high) = saved(ours, theirs)
        lines.append(
            Row("the same, the best as test rows show it that did not choose it", peer,
                _short(ours.mean()), _short(theirs.mean()), _short(share),
                (_short(low), _short(high)), "—", "—", True)
        )  # fmt: skip
    return lines


def _ablations(found: Found) -> list[Row]:
    lines, ours = [], of(found["ours"], "reached")
    for name in (n for n in found if n.startswith("ours, ") and n != SMALL):
        other = of(found[name], "reached")
        share, (low, high) = saved(ours, other)
        lines.append(
            Row("the same, with every part against without one (ratio: share saved)", name,
                _short(ours.mean()), _short(other.mean()), _short(share),
                (_short(low), _short(high)), "at least 0", "—", share >= 0)
        )  # fmt: skip
    if {"ours, poisoned history", "ours, no history"} <= set(found):
        bad, none = (of(found[f"ours, {n} history"], "reached") for n in ("poisoned", "no"))
        share, (low, high) = saved(bad, none)
        lines.append(
            Row("poisoned history against none: how much slower (ratio)", "ours, no history",
                _short(bad.mean()), _short(none.mean()), _short(-share),
                (_short(-high), _short(-low)), f"at most {SLOWER:g}", "at most 0",
                -share <= SLOWER)
        )  # fmt: skip
    return lines


def _risks(found: Found) -> list[Row]:
    lines = []
    worse = "share of replays that ship something worse than the default on test"
    for own, text, limit, must, aim in (
        ("ours", f"{worse} by more than half a point", -RESOLUTION - 1e-9, *WORSE),
        ("ours", f"{worse} at all", -1e-9, None, None),
        (SMALL, f"{worse} by more than half a point, six trainings", -RESOLUTION - 1e-9, *WORSE),
    ):  # fmt: skip
        if own not in found:
            continue
        share = float((of(found[own], "ahead") < limit).mean())
        peer = float((of(found["Optuna TPE + Hyperband"], "ahead") < limit).mean())
        lines.append(
            Row(text, "Optuna TPE + Hyperband", _short(share), _short(peer), None, None,
                f"at most {must:g}" if must else "—", f"at most {aim:g}" if aim else "—",
                must is None or share <= must)
        )  # fmt: skip
    first = float(of(found["ours"], "first").mean())
    other = float(of(found["random"], "first").mean())
    lines.append(
        Row("share of replays whose first trial after the default is within 1 point of the best",
            "random", _short(first), _short(other), None, None, "—", f"at least {FIRST:g}", True)
    )  # fmt: skip
    bill = float((of(found[SMALL if SMALL in found else "ours"], "spent") <= BILL).mean())
    other = float((of(found["Optuna TPE + Hyperband"], "spent") <= BILL).mean())
    lines.append(
        Row(f"share of replays with the usual budget in which search and training together take at "
            f"most {BILL:g} trainings", "Optuna TPE + Hyperband", _short(bill), _short(other),
            None, None,
            "above 0.5", "at least 0.8", bill > 0.5)
    )  # fmt: skip
    return lines


def shown(found: Found, tables: Sequence[Table]) -> str:
    """Tables and ranks that do not fit the house's form."""
    _, chance = ranks({name: of(r, "reached") for name, r in found.items()})
    parts = ["### Recorded tables", _tables(tables), "### Methods", methods_told(found)]
    told = "cannot be told below three tasks" if np.isnan(chance) else f"p = {chance:.3g}"
    seeds = len(found["ours"][0])
    parts.append(
        f"Friedman's test over {len(tables)} tasks, {len(found)} methods, {seeds} seeds: {told}."
    )
    for place, title in enumerate(("the choosing rows", "test")):
        parts += [f"### Regret of the leader on {title}, in points", _regrets(found, place)]
    return "\n\n".join(parts)


def _tables(tables: Sequence[Table]) -> str:
    lines = ["| task | records | one run, CPU s | default, test | best, test | on other rows | "
             "within 1 point |", "|---|---|---|---|---|---|---|"]  # fmt: skip
    for t in tables:
        good = int((t.tests >= t.tests[t.best] - 0.01 - 1e-9).sum())
        lines.append(
            f"| {t.name} | {len(t.entries)} | {t.full:.0f} | {100 * t.tests[0]:.1f} | "
            f"{100 * t.tests[t.best]:.1f} | {100 * t.likely_best:.1f} | {good} |"
        )
    return "\n".join(lines)


def methods_told(found: Found) -> str:
    """How each method fared over all tasks."""
    order, _ = ranks({name: of(r, "reached") for name, r in found.items()})
    lines = [
        "| method | trainings to within 1 point | of the best on other rows | never | mean rank | "
        "test regret of what ships | worse than default by 0.5 | worse at all | trainings spent | "
        f"median | at most {BILL:g} | CPU s thought |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, results in sorted(found.items(), key=lambda pair: order[pair[0]]):
        ahead, spent = of(results, "ahead"), of(results, "spent")
        lines.append(
            f"| {name} | {of(results, 'reached').mean():.2f} | "
            f"{of(results, 'proven').mean():.2f} | "
            f"{100 * of(results, 'censored').mean():.0f} % | {order[name]:.1f} | "
            f"{100 * of(results, 'final').mean():.2f} | "
            f"{100 * (ahead < -RESOLUTION - 1e-9).mean():.0f} % | "
            f"{100 * (ahead < -1e-9).mean():.0f} % | {spent.mean():.1f} | "
            f"{np.median(spent):.1f} | {100 * (spent <= BILL).mean():.0f} % | "
            f"{of(results, 'thought').mean():.2f} |"
        )
    return "\n".join(lines)


def _regrets(found: Found, place: int) -> str:
    lines = ["| method | " + " | ".join(f"{m:g}" for m in MARKS) + " |",
             "|---|" + "---|" * len(MARKS)]  # fmt: skip
    for name, results in found.items():
        means = np.mean([[r.regrets[:, place] for r in row] for row in results], axis=(0, 1))
        lines.append(f"| {name} | " + " | ".join(f"{100 * m:.2f}" for m in means) + " |")
    return "\n".join(lines)


def _short(value: float) -> float:
    return float(f"{float(value):.3g}")
