"""The trials that no other beats in every objective at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def front(values: NDArray[np.float64]) -> list[int]:
    """Rows of `values` (N, K), higher is better, that no other row dominates, in order.

    A row with a value that is not a number is never on the front. Equal rows stay together.
    """
    able = np.isfinite(values).all(axis=1)
    found = []
    for place in np.flatnonzero(able):
        others = values[able]
        better = (others >= values[place]).all(axis=1) & (others > values[place]).any(axis=1)
        if not better.any():
            found.append(int(place))
    return found


def turned(values: NDArray[np.float64], directions: Sequence[str]) -> NDArray[np.float64]:
    """The same values with objectives whose direction is `lower` turned round."""
    signs = np.asarray([1.0 if d == "higher" else -1.0 for d in directions])
    return np.asarray(values * signs)
