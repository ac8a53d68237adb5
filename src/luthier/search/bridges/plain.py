"""A space as values that JSON holds, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from luthier.search.parameter import Choice, Range
from luthier.search.space import Space


def space_to_list(space: Space) -> list[dict[str, Any]]:
    """One entry per parameter, in order."""
    return [{"kind": _kind(p), **vars(p)} for p in space.parameters]


def space_from_list(content: Sequence[Mapping[str, Any]]) -> Space:
    """The space that `space_to_list` gave, also after a way through JSON."""
    found: list[Range | Choice] = []
    for entry in content:
        rest: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in entry.items() if k != "kind"
        }
        found.append(Range(**rest) if entry["kind"] == "range" else Choice(**rest))
    return Space(tuple(found))


def _kind(parameter: Range | Choice) -> str:
    return "range" if isinstance(parameter, Range) else "choice"
