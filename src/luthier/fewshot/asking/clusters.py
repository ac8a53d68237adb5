"""k-means on vectors of length one."""

from __future__ import annotations

import numpy as np

from luthier.evaluate.predictions import FloatArray, IntArray

ROUNDS = 12


def clusters(unit: FloatArray, count: int, rng: np.random.Generator) -> IntArray:
    """The cluster of each row (N,), 0 to `count` - 1, by cosine; some may stay empty.

    Raises: ValueError for more clusters than rows.

    Source: Arthur and Vassilvitskii 2007, "k-means++"; Dhillon and Modha 2001 (spherical k-means).
    """
    if not 1 <= count <= len(unit):
        raise ValueError(f"{count} clusters of {len(unit)} rows")
    centres = unit[_spread(unit, count, rng)]
    member = np.full(len(unit), -1)
    for _ in range(ROUNDS):
        found = (unit @ centres.T).argmax(axis=1)
        if np.array_equal(found, member):
            break
        member = found
        sums = np.zeros_like(centres)
        np.add.at(sums, member, unit)
        length = np.linalg.norm(sums, axis=1, keepdims=True)
        centres = np.where(length > 1e-9, sums / np.maximum(length, 1e-9), centres)
    return member


def _spread(unit: FloatArray, count: int, rng: np.random.Generator) -> IntArray:
    """Rows far from each other to begin with."""
    chosen = [int(rng.integers(len(unit)))]
    distance = np.maximum(1 - unit @ unit[chosen[0]], 0)
    for _ in range(count - 1):
        total = float(distance.sum())
        weights = distance / total if total > 1e-9 else None
        new = int(rng.choice(len(unit), p=weights))
        chosen.append(new)
        distance = np.minimum(distance, np.maximum(1 - unit @ unit[new], 0))
    return np.asarray(chosen, np.int64)
