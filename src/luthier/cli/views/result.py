"""The end of a run for people: base against tuned, and where everything lies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from luthier.cli.answers import show_table, shown
from luthier.cli.listener import span

if TYPE_CHECKING:
    from luthier.stages.api import RunResult


def show_result(result: RunResult, brief: bool) -> None:
    """A table of metrics with the interval of the difference; `brief` prints only the report."""
    facts = result.as_dict()
    if brief:
        print(facts["report"])
        return
    rows = [
        [metric, base, tuned, interval(difference), _chance(p)]
        for metric, base, tuned, difference, p in result.summary
    ]
    columns = ["metric", "base", "tuned", "difference (95 %)", "p"]
    where = facts["metrics"].get("measured_on", "the sealed test")
    title = f"{facts['task']} on {where}"
    if rows:
        show_table(title, columns, rows)
    else:
        print("Nothing was measured: there is no labelled row to measure by.")
    print(f"Run     {facts['run']}  in {span(facts['seconds'])}")
    print(f"Folder  {facts['path']}")
    print(f"Report  {facts['report']}")
    asks = "masked_loss" not in facts["metrics"]["tuned"]
    verb = f'predict {facts["run"]} "a text"' if asks else f"eval {facts['run']} --data FILE"
    print(f"Next    luthier {verb}")


def show_measured(measured: Mapping[str, Any]) -> None:
    """Metrics as a table; groups of them become columns."""
    metrics = measured.get("metrics", measured)
    groups = {name: group for name, group in metrics.items() if isinstance(group, Mapping)}
    if not groups:
        show_table("", ["metric", "value"], [[name, value] for name, value in metrics.items()])
        return
    single = {name: value for name, value in metrics.items() if name not in groups}
    groups = _columns(groups)
    names = dict.fromkeys(name for group in groups.values() for name in group)
    rows = [[name, *(_cell(group.get(name)) for group in groups.values())] for name in names]
    show_table("", ["metric", *groups], rows)
    for name, value in single.items():
        print(f"{name}: {shown(value)}")


def _columns(groups: Mapping[str, Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Groups that become columns: empty ones are left out, groups of groups are spread."""
    found: dict[str, Mapping[str, Any]] = {}
    for name, group in groups.items():
        inner = list(group.values())
        if inner and all(isinstance(v, Mapping) and "value" not in v for v in inner):
            found |= {str(k): v for k, v in group.items()}
        elif inner:
            found[name] = group
    return found


def interval(value: Any) -> str | None:
    """`+0.0123 [+0.0100, +0.0150]`, from an Interval or a mapping with its fields."""
    if value is None:
        return None
    if isinstance(value, Mapping):
        low, high = value.get("interval") or (value.get("low"), value.get("high"))
        point = value.get("value")
    else:
        point, low, high = value.value, value.low, value.high
    return f"{point:+.4f} [{low:+.4f}, {high:+.4f}]" if point is not None else None


def _chance(p: float | None) -> str | None:
    if p is None:
        return None
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def _cell(value: Any) -> Any:
    if isinstance(value, Mapping) and "value" in value:
        return interval(value)
    if isinstance(value, list | tuple) and len(value) == 2:
        return f"[{shown(value[0])}, {shown(value[1])}]"
    return value if not isinstance(value, Mapping | list) else str(value)
