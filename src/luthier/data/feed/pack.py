"""Several rows in one sequence, with positions that restart, so that attention stays inside."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from luthier.data.feed.batch import Batch
from luthier.data.feed.encode import Encoded


def first_fit(lengths: NDArray[np.int64], capacity: int) -> list[list[int]]:
    """Places of `lengths` in bins of `capacity`, longest first (best-fit decreasing).

    A length above the capacity gets a bin of its own, so nothing is cut.

    Source: Johnson 1973, "Near-optimal bin packing algorithms".
    """
    bins: list[list[int]] = []
    room: list[int] = []
    for place in np.argsort(-lengths, kind="stable"):
        size = int(lengths[place])
        fits = [(left, b) for b, left in enumerate(room) if left >= size]
        if fits:
            _, chosen = min(fits)
            bins[chosen].append(int(place))
            room[chosen] -= size
        else:
            bins.append([int(place)])
            room.append(capacity - size)
    return bins


def packed(encoded: Encoded, examples: NDArray[np.int64], capacity: int, pad_id: int) -> Batch:
    """One batch whose sequences hold several rows; no attention mask, positions tell the rows."""
    lengths = encoded.lengths[examples]
    bins = first_fit(lengths, capacity)
    width = max(int(lengths[b].sum()) for b in bins)
    shape = (len(bins), width)
    ids = np.full(shape, pad_id, np.int64)
    learn = np.zeros(shape, np.int64)
    segments = np.full(shape, -1, np.int64)
    positions = np.zeros(shape, np.int64)
    for line, places in enumerate(bins):
        at = 0
        for place in places:
            part = encoded.ids[int(examples[place])]
            stop = at + len(part)
            ids[line, at:stop] = part
            if encoded.learn is not None:
                learn[line, at:stop] = encoded.learn[int(examples[place])]
            segments[line, at:stop] = place
            positions[line, at:stop] = np.arange(len(part))
            at = stop
        # Padding counts on as a row of its own, which nothing attends to and no loss reads.
        positions[line, at:] = np.arange(width - at)
    return Batch(
        ids=torch.from_numpy(ids),
        mask=None,
        rows=torch.from_numpy(encoded.rows[examples]),
        weights=torch.from_numpy(encoded.weights[examples]),
        learn=torch.from_numpy(learn),
        positions=torch.from_numpy(positions),
        segments=torch.from_numpy(segments),
    )
