"""A finished search for people, and the history it learns from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from luthier.cli.answers import show_table

if TYPE_CHECKING:
    from luthier.search.history.past import History


def show_search(told: Mapping[str, Any]) -> None:
    """Trials, what mattered, and the advice."""
    rows = [
        [t["id"], t["source"], t["status"], len(t["curve"]) and t["curve"][-1][0],
         t["curve"][-1][1] if t["curve"] else None, t["seconds"], t["reason"]]
        for t in told["trials"]
    ]  # fmt: skip
    columns = ["trial", "from", "status", "units", told["metric"], "CPU seconds", "why"]
    show_table(f"Search ({told['budget']}): {told['stopped']}", columns, rows)
    mattered = [[name, value, f"{low:.2f} to {high:.2f}"]
                for name, (value, low, high) in list(told["importance"].items())[:5]]  # fmt: skip
    if mattered:
        show_table("What mattered", ["parameter", "share of variance", "90 %"], mattered)
    print(told["advice"])


def history_facts(history: History) -> list[dict[str, Any]]:
    """What is known, task by task, the best configuration included."""
    facts = []
    for record in history.records:
        finished = [t for t in record.trials if t.finished]
        sign = 1.0 if record.direction == "higher" else -1.0
        best = max(finished, key=lambda t: sign * (t.final or 0.0), default=None)
        facts.append(
            {
                "task": record.id,
                "family": record.family,
                "kind": record.kind,
                "origin": record.origin,
                "metric": record.metric,
                "trials": len(record.trials),
                "finished": len(finished),
                "untouched": record.anchor,
                "best": None if best is None else best.final,
                "config": {} if best is None else dict(best.config),
            }
        )
    return facts


def show_known(facts: list[dict[str, Any]]) -> None:
    """The history as a table."""
    rows = [
        [f["task"], f["kind"], f["origin"], f["trials"], f["metric"], f["untouched"], f["best"],
         " ".join(f"{k.rsplit('.', 1)[-1]}={v}" for k, v in f["config"].items())]
        for f in facts
    ]  # fmt: skip
    columns = ["task", "kind", "from", "trials", "metric", "untouched", "best", "with"]
    show_table("Earlier tasks a search learns from", columns, rows)
    if not facts:
        print("Nothing is known yet. Every run adds to it.")
