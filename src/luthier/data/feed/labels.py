"""The label set of a task, in a fixed order that is stored with the run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from luthier.core.errors import FixData, nearest
from luthier.core.types import Task

LISTED = 8
"""Labels that an error names."""


@dataclass(frozen=True)
class LabelSet:
    """Names in order; a name's place is its class number."""

    names: tuple[str, ...]

    @staticmethod
    def collect(task: Task, rows: Iterable[dict[str, Any]]) -> LabelSet:
        """The labels that occur in `rows`, sorted; empty for tasks without labels."""
        found: set[str] = set()
        for row in rows:
            if task is Task.CLASSIFY:
                found.add(str(row["label"]))
            elif task is Task.MULTILABEL:
                found.update(map(str, row["labels"]))
            elif task is Task.TAG:
                found.update(str(span[2]) for span in row["spans"])
        return LabelSet(tuple(sorted(found)))

    def number(self, name: str, place: str) -> int:
        """The class number of `name`.

        Raises: FixData for a label that training never saw, with those it saw, the first of many,
            and the nearest one.
        """
        try:
            return self._numbers[name]
        except KeyError:
            near = nearest(name, self.names)
            advice = f"did you mean {near!r}?" if near else ""
            some = ", ".join(map(repr, self.names[:LISTED]))
            many = f" and {len(self.names) - LISTED} more" if len(self.names) > LISTED else ""
            met = f"the label {name!r} was not seen in training"
            raise FixData(place, met, f"it saw {some}{many}", advice) from None

    @property
    def _numbers(self) -> dict[str, int]:
        # A frozen record may not hold a cache field; the dictionary is kept in its __dict__.
        cache: dict[str, int] | None = self.__dict__.get("numbers")
        if cache is None:
            cache = {name: i for i, name in enumerate(self.names)}
            self.__dict__["numbers"] = cache
        return cache

    @property
    def tags(self) -> tuple[str, ...]:
        """BIO tags of a span task: O, then B- and I- of each type."""
        return ("O", *(f"{mark}-{name}" for name in self.names for mark in "BI"))


@dataclass(frozen=True)
class HeadFacts:
    """What a head needs to know about the data, and whether the base fills in hidden words."""

    labels: LabelSet
    mean: float = 0.0
    deviation: float = 1.0
    masked: bool = False


def tags_from_spans(
    spans: Sequence[Sequence[Any]],
    offsets: Sequence[tuple[int, int]],
    labels: LabelSet,
    place: str = "spans",
) -> list[int]:
    """A tag number per token, -100 for tokens that cover no text.

    A token belongs to a span when their character ranges overlap.

    Raises: FixData for a type that training never saw.
    """
    tags = [0 if end > start else -100 for start, end in offsets]
    for first, last, name in spans:
        inside = [t for t, (s, e) in enumerate(offsets) if e > s and s < last and e > first]
        kind = labels.number(str(name), place)
        for i, token in enumerate(inside):
            tags[token] = 1 + 2 * kind + (1 if i else 0)
    return tags


def spans_from_tags(
    tags: Sequence[int], offsets: Sequence[tuple[int, int]], labels: LabelSet
) -> list[tuple[int, int, str]]:
    """Character spans from tag numbers; an I- without its B- begins a span."""
    spans: list[tuple[int, int, str]] = []
    open_kind = -1
    for tag, (start, end) in zip(tags, offsets, strict=True):
        if end <= start:
            continue
        if tag <= 0:
            open_kind = -1
            continue
        kind, inside = divmod(tag - 1, 2)
        if inside and kind == open_kind:
            spans[-1] = (spans[-1][0], end, labels.names[kind])
        else:
            spans.append((start, end, labels.names[kind]))
            open_kind = kind
    return spans
