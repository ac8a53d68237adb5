"""Every vote counts the same."""

from __future__ import annotations

import numpy as np

from luthier.evaluate.predictions import FloatArray, IntArray


class Majority:
    """Shares of the votes; a text without votes has equal chances."""

    name = "majority"

    def chances(self, votes: IntArray, classes: int, known: IntArray) -> FloatArray:
        """(N, C) from votes (N, R); known labels are not looked at."""
        counts = np.stack([(votes == c).sum(axis=1) for c in range(classes)], axis=1).astype(float)
        total = counts.sum(axis=1, keepdims=True)
        return np.where(total > 0, counts / np.maximum(total, 1), 1 / classes)
