"""A look at a file meets rows from all over its beginning."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from luthier.data.glance import glance


class Sorted:
    """So many rows, sorted by label."""

    place = "sorted.csv"

    def __init__(self, rows: int, classes: int = 10) -> None:
        self.length, self.classes = rows, classes
        self.read = 0

    def rows(self) -> Iterator[tuple[int, dict[str, Any]]]:
        for at in range(self.length):
            self.read += 1
            yield at + 1, {"at": at, "label": at * self.classes // self.length}


def test_every_class_of_a_sorted_file_is_met() -> None:
    seen = {row["label"] for row in glance(Sorted(9000))}
    assert seen == set(range(10))


def test_no_more_rows_are_read_than_the_reach() -> None:
    source = Sorted(1000)
    sample = glance(source, kept=50, reach=300)
    assert source.read == 300
    assert max(row["at"] for row in sample) < 300


@given(st.integers(0, 700), st.integers(2, 64))
def test_rows_are_evenly_spaced_and_as_many_as_promised(length: int, kept: int) -> None:
    places = [row["at"] for row in glance(Sorted(max(length, 1)), kept)]
    total = max(length, 1)
    assert len(places) == total if total <= kept else kept // 2 <= len(places) <= kept
    assert len({b - a for a, b in pairwise(places)}) <= 1
