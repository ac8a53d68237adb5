"""Sequences of unequal length in one flat array, in memory or memory-mapped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Ragged:
    """`values[offsets[i]:offsets[i + 1]]` is sequence i; trailing axes of `values` are kept."""

    values: NDArray[np.generic]
    offsets: NDArray[np.int64]

    @staticmethod
    def pack(sequences: Iterable[Sequence[int] | NDArray[np.generic]], dtype: str) -> Ragged:
        """One flat array from sequences of numbers."""
        arrays = [np.asarray(s, dtype=dtype) for s in sequences]
        lengths = np.fromiter((len(a) for a in arrays), dtype=np.int64, count=len(arrays))
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
        values = np.concatenate(arrays) if arrays else np.zeros(0, dtype)
        return Ragged(values, offsets)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, index: int) -> NDArray[np.generic]:
        return self.values[self.offsets[index] : self.offsets[index + 1]]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Length of each sequence."""
        return np.diff(self.offsets)

    def take(self, indices: NDArray[np.int64]) -> Ragged:
        """The sequences at `indices`, copied."""
        return Ragged.pack([self[int(i)] for i in indices], self.values.dtype.str)

    def save(self, folder: Path, name: str) -> None:
        """Two .npy files in `folder`."""
        np.save(folder / f"{name}.values.npy", self.values, allow_pickle=False)
        np.save(folder / f"{name}.offsets.npy", self.offsets, allow_pickle=False)

    @staticmethod
    def load(folder: Path, name: str) -> Ragged:
        """The sequences saved under `name`, memory-mapped."""
        return Ragged(
            np.load(folder / f"{name}.values.npy", mmap_mode="r", allow_pickle=False),
            np.load(folder / f"{name}.offsets.npy", allow_pickle=False),
        )
