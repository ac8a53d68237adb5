"""Runs for people and as facts for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from luthier.cli.answers import finite, show_table, shown
from luthier.cli.views.result import show_measured

if TYPE_CHECKING:
    from luthier.store.store import RunRecord

Facts = dict[str, Any]

_STYLES = {"finished": "green", "interrupted": "yellow", "failed": "red", "running": "cyan"}


def brief_facts(record: RunRecord) -> Facts:
    """What a list of runs tells of each."""
    return {
        "id": record.id,
        "name": record.name,
        "task": record.task,
        "status": record.status,
        "reason": record.reason,
        "created": _moment(record.created),
        "finished": _moment(record.finished),
        "path": str(record.path),
    }


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="seconds")


def full_facts(record: RunRecord) -> Facts:
    """All that the store knows of a run."""
    facts = dict(record.facts)
    metrics = facts.pop("metrics", {})
    return brief_facts(record) | {"metrics": metrics, "recipe": record.recipe, "facts": facts}


def flat(recipe: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Dotted keys and their values."""
    found: dict[str, Any] = {}
    for key, value in recipe.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found


def comparison(runs: Sequence[Facts]) -> Facts:
    """Metrics of the tuned models by name and run, and the recipe keys that differ."""
    metrics = [run["metrics"].get("tuned", {}) for run in runs]
    names = dict.fromkeys(name for values in metrics for name in values)
    recipes = [flat(run["recipe"]) for run in runs]
    keys = dict.fromkeys(key for recipe in recipes for key in recipe)
    rows = {key: [recipe.get(key) for recipe in recipes] for key in keys}
    return {
        "runs": [run["id"] for run in runs],
        "metrics": {name: [values.get(name) for values in metrics] for name in names},
        "recipe": {key: row for key, row in rows.items() if any(v != row[0] for v in row)},
    }


def show_list(records: Sequence[RunRecord]) -> None:
    """A row for each run."""
    from rich.text import Text

    if not records:
        print("There are no runs yet. `luthier run recipe.yaml` makes one.")
        return
    rows = [
        [
            r.id,
            r.name,
            r.task,
            Text(r.status, style=_STYLES.get(r.status, "")),
            f"{r.created.astimezone():%Y-%m-%d %H:%M}",
            _headline(r.facts.get("metrics", {})),
            r.reason,
        ]
        for r in records
    ]
    show_table("", ["run", "name", "task", "status", "created", "base to tuned", "reason"], rows)


def _headline(metrics: Mapping[str, Any]) -> str:
    """The first metric that base and tuned share: `accuracy 0.6140 to 0.8900`."""
    base, tuned = metrics.get("base", {}), metrics.get("tuned", {})
    both = [name for name in tuned if name in base]
    return f"{both[0]} {shown(base[both[0]])} to {shown(tuned[both[0]])}" if both else ""


def show_one(facts: Facts) -> None:
    """One run with its metrics and the recipe keys that were set."""
    keys = ("id", "name", "task", "status", "reason", "created", "finished", "path")
    show_table("", ["", ""], [[key, facts[key]] for key in keys if facts[key]])
    if facts["metrics"]:
        show_measured(facts["metrics"])
    recipe = flat(facts["recipe"])
    show_table("Recipe", ["key", "value"], [[key, shown(value)] for key, value in recipe.items()])


def show_comparison(compared: Facts) -> None:
    """Two tables: metrics, and what differs in the recipes."""
    runs = compared["runs"]
    rows = [[name, *finite(values)] for name, values in compared["metrics"].items()]
    show_table("Metrics of the tuned models", ["metric", *runs], rows)
    if not compared["recipe"]:
        print("The recipes are the same.")
        return
    rows = [[key, *map(shown, values)] for key, values in compared["recipe"].items()]
    show_table("Recipe", ["key", *runs], rows)
