"""An affine map of vectors after which no linear reader can tell words of groups apart.

Source: Belrose et al. 2023, "LEACE: Perfect Linear Concept Erasure in Closed Form", theorem 4.3.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from luthier.explain.attribution import Floats, Ids

THIN = 1e-6
"""Directions of less than this share of the widest one's variance, or of the strongest one's
covariance with the words, count as none."""


@dataclass(frozen=True)
class Erasure:
    """x - left (right (x - centre)): `left` (D, K), `right` (K, D), `centre` (D,)."""

    left: Floats
    right: Floats
    centre: Floats

    def of(self, vectors: Floats) -> Floats:
        """Vectors (N, D) without the concept."""
        return np.asarray(vectors - (vectors - self.centre) @ self.right.T @ self.left.T)

    def merged(self, weight: Floats, bias: Floats) -> tuple[Floats, Floats]:
        """A linear layer (C, D), (C,) that reads raw vectors as the given one reads erased ones."""
        lost = weight @ self.left
        return weight - lost @ self.right, bias + lost @ (self.right @ self.centre)


def erasure_of(vectors: Floats, carriers: Ids, words: Ids) -> Erasure:
    """The smallest change, measured by how the vectors (N, D) vary, that takes away what words (N,)
    do within their carriers (N,); rows of word -1 tell the variation only."""
    centre = vectors.mean(0)
    apart = vectors - centre
    spread, axes = np.linalg.eigh(apart.T @ apart / len(vectors))
    kept = spread > THIN * spread.max(initial=0.0)
    scale = np.sqrt(spread[kept])
    axes = axes[:, kept]
    # What a carrier itself says must not count as what its word says.
    named = words >= 0
    _, group = np.unique(carriers[named], return_inverse=True)
    told = np.eye(int(words.max(initial=-1)) + 1)[words[named]]
    inner = _within(vectors[named], group)
    covariance = inner.T @ _within(told, group) / max(1, int(named.sum()))
    white = (axes.T @ covariance) / scale[:, None]
    basis, size, _ = np.linalg.svd(white, full_matrices=False)
    basis = basis[:, size > THIN * size.max(initial=0.0)]
    return Erasure(axes @ (scale[:, None] * basis), (basis.T / scale) @ axes.T, centre)


def _within(values: Floats, group: Ids) -> Floats:
    """Values (N, D) less the mean of their group."""
    counts = np.bincount(group).astype(float)
    sums = np.zeros((len(counts), values.shape[1]))
    np.add.at(sums, group, values)
    return np.asarray(values - (sums / counts[:, None])[group])
