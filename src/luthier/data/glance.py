"""Some hundred rows of a source, spread over its beginning."""

from __future__ import annotations

from itertools import islice
from typing import Any

from luthier.data.source import Source

KEPT = 500
REACH = 20_000
"""Files sorted by label are common: the first rows alone would show one class of many."""


def glance(source: Source, kept: int = KEPT, reach: int = REACH) -> list[dict[str, Any]]:
    """Between `kept` / 2 and `kept` evenly spaced rows of the first `reach`, or all when fewer.

    Never more than `kept` rows are held at once.
    """
    sample: list[dict[str, Any]] = []
    stride = 1
    for at, (_, row) in enumerate(islice(source.rows(), reach)):
        if at % stride:
            continue
        if len(sample) == kept:
            sample = sample[::2]
            stride *= 2
            if at % stride:
                continue
        sample.append(row)
    return sample
