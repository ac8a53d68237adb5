"""What the columns of a sample look like."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from luthier.data.mappings.fields import NULL, label_text, parsed
from luthier.data.mappings.spans import END, START, TYPE


@dataclass(frozen=True)
class Column:
    """A column of a sample; `filled` are its values that are not empty, lists unfolded."""

    name: str
    filled: tuple[Any, ...]

    @cached_property
    def lists(self) -> bool:
        """Whether the values are lists."""
        return bool(self.filled) and all(isinstance(value, list) for value in self.filled)

    @cached_property
    def objects(self) -> bool:
        """Whether some value is an object."""
        return any(isinstance(value, dict) for value in self.filled)

    @cached_property
    def strings(self) -> bool:
        """Whether every value is text or a number."""
        return bool(self.filled) and not any(isinstance(v, list | dict) for v in self.filled)

    @cached_property
    def words(self) -> float:
        """Words per value, on average."""
        if not self.strings:
            return 0.0
        return sum(len(str(value).split()) for value in self.filled) / len(self.filled)

    @cached_property
    def characters(self) -> float:
        """Characters per value, on average."""
        return sum(len(str(value)) for value in self.filled) / max(1, len(self.filled))

    @cached_property
    def counts(self) -> Counter[str]:
        """How often each value occurs, as a class name."""
        return Counter(label_text(value) for value in self.filled) if self.strings else Counter()

    @cached_property
    def numbers(self) -> list[float] | None:
        """The values as numbers, or None when one is none."""
        if not self.strings or any(isinstance(value, bool) for value in self.filled):
            return None
        try:
            numbers = [float(value) for value in self.filled]
        except ValueError:
            return None
        return numbers if all(map(math.isfinite, numbers)) else None

    @cached_property
    def labels(self) -> bool:
        """Whether the values could be classes: short, and far fewer than rows."""
        distinct, rows = len(self.counts), len(self.filled)
        return self.strings and self.words <= 8 and (distinct <= max(2, 0.5 * rows))

    @cached_property
    def measured(self) -> bool:
        """Whether the values are measurements rather than classes."""
        numbers = self.numbers
        if numbers is None:
            return False
        distinct = len(set(numbers))
        whole = all(number.is_integer() for number in numbers)
        return distinct > (max(30, 0.4 * len(numbers)) if whole else 10)

    @cached_property
    def messages(self) -> bool:
        """Whether the values are conversations."""
        parts = [part for value in self.filled if isinstance(value, list) for part in value]
        return self.lists and all(
            isinstance(part, dict) and ("role" in part or "from" in part) for part in parts
        )

    @cached_property
    def spans(self) -> bool:
        """Whether the values are lists of [start, end, type]; some are not empty."""
        parts = [part for value in self.filled if isinstance(value, list) for part in value]
        return bool(parts) and self.lists and all(map(_span, parts))

    @cached_property
    def tags(self) -> bool:
        """Whether the values are lists of text or numbers, one per token."""
        parts = [part for value in self.filled if isinstance(value, list) for part in value]
        return self.lists and bool(parts) and all(isinstance(p, str | int) for p in parts)

    def divider(self) -> str | None:
        """The mark between several labels of one cell: its parts come back in other cells."""
        for mark in ("|", ";"):
            if self._divides(mark, 0.5):
                return mark
        return "," if self.name.lower().endswith("s") and self._divides(",", 0.9) else None

    def _divides(self, mark: str, share: float) -> bool:
        cells = [str(value).split(mark) for value in self.filled if self.strings]
        several = [cell for cell in cells if len(cell) > 1]
        if len(several) < max(2, 0.02 * len(cells)):
            return False
        counts = Counter(part.strip() for cell in cells for part in cell if part.strip())
        parts = [part.strip() for cell in several for part in cell if part.strip()]
        if len(counts) > len(set(map(tuple, cells))):
            return False
        again = sum(counts[part] > 1 for part in parts)
        return again >= share * len(parts) and max(len(part.split()) for part in parts) <= 6


def profile(sample: Sequence[dict[str, Any]]) -> dict[str, Column]:
    """The columns of the sample, in the order they appear.

    A cell that spells a list in JSON or Python notation counts as that list.
    """
    names = dict.fromkeys(name for row in sample for name in row)
    return {name: Column(name, tuple(_values(sample, name))) for name in names}


def _values(sample: Sequence[dict[str, Any]], name: str) -> list[Any]:
    values = [row[name] for row in sample if row.get(name) not in NULL]
    folded = [parsed(value) if isinstance(value, str) else None for value in values]
    lists = [f if isinstance(f, list) else v for f, v in zip(folded, values, strict=True)]
    return lists if all(isinstance(value, list) for value in lists) else values


def _span(part: Any) -> bool:
    if isinstance(part, dict):
        return all(any(name in part for name in names) for names in (START, END, TYPE))
    return (
        isinstance(part, list | tuple)
        and len(part) == 3
        and isinstance(part[0], int)
        and isinstance(part[1], int)
        and isinstance(part[2], str)
    )
