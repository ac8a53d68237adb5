"""Train, validation and test: seeded, stratified, with equal texts and groups kept together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from luthier.core.errors import CheckRun, FixData, FixRecipe
from luthier.core.hashing import hash_value
from luthier.core.seeds import derive
from luthier.core.types import Task
from luthier.data.mappings.text import input_text, normalise, whole_text
from luthier.data.table import Table

_TRAIN, _VALIDATION, _TEST = range(3)
_LARGEST_PROMPT_SHARE = 0.2


@dataclass(frozen=True)
class Splits:
    """Row indices of a table, int64 and sorted, that never overlap."""

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray

    def as_dict(self) -> dict[str, np.ndarray]:
        """The splits by name."""
        return {"train": self.train, "validation": self.validation, "test": self.test}


def make_splits(table: Table, validation: float, test: float, seed: int) -> Splits:
    """Divides all rows by the given shares; the same seed gives the same division.

    Rows with equal normalised input or equal group stay together. Labels are divided in
    proportion as far as that allows, and every label has a training row.

    Raises: FixRecipe for impossible shares, FixData when there are too few rows.
    """
    shares = _shares(validation, test)
    units = _units(table)
    labels = _labels(table)
    strata = _strata(labels)
    rng = np.random.default_rng(derive(seed, "split"))
    unit_split = _divide(units, strata, shares, rng)
    _keep_labels(unit_split, units, labels)
    _fill_empty(unit_split, units, labels, shares)
    rows = unit_split[units]
    parts = [np.flatnonzero(rows == part).astype(np.int64) for part in range(3)]
    return Splits(*parts)


def _shares(validation: float, test: float) -> np.ndarray:
    for name, share in (("validation", validation), ("test", test)):
        if not 0 <= share < 1:
            raise FixRecipe(
                f"data.split.{name}", f"{share} is no share", "Allowed: 0 or more, less than 1"
            )
    if validation + test >= 1:
        raise FixRecipe(
            "data.split",
            f"validation {validation} and test {test} leave nothing to train on",
            "Their sum is less than 1",
        )
    return np.array([1 - validation - test, validation, test])


def _units(table: Table) -> np.ndarray:
    """The number of the unit each row belongs to, (N,); rows of a unit stay together."""
    inputs, whole = [], []
    for row in table.rows():
        inputs.append(_key(input_text(table.task, row)))
        whole.append(_key(whole_text(table.task, row)))
    # one prompt for very many rows is an instruction, not a leak
    common = Counter(inputs).most_common(1)[0][1] > max(2, _LARGEST_PROMPT_SHARE * len(inputs))
    keys = whole if common and table.task.generates else inputs
    return joined([keys, table.column("group")])


def _key(text: str) -> int:
    return hash(normalise(text))


def joined(columns: Sequence[Sequence[Any]]) -> np.ndarray:
    """Numbers of the smallest sets of rows closed under an equal value in any column, (N,).

    None equals nothing.
    """
    parent = list(range(len(columns[0])))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for column in columns:
        first: dict[Any, int] = {}
        for i, value in enumerate(column):
            if value is not None:
                parent[root(i)] = root(first.setdefault(value, i))
    roots = np.array([root(i) for i in range(len(parent))], dtype=np.int64)
    return np.unique(roots, return_inverse=True)[1].astype(np.int64)


def _labels(table: Table) -> list[tuple[str, ...]]:
    """The classes of each row; for numbers, their quarter."""
    if table.task is Task.CLASSIFY:
        return [(label,) for label in table.column("label")]
    if table.task is Task.MULTILABEL:
        return [tuple(labels) for labels in table.column("labels")]
    if table.task is Task.TAG:
        return [tuple(dict.fromkeys(s[2] for s in spans)) for spans in table.column("spans")]
    if table.task is Task.REGRESS:
        values = np.array(table.column("label"))
        cuts = np.quantile(values, [0.25, 0.5, 0.75])
        return [(str(int(part)),) for part in np.searchsorted(cuts, values)]
    return [()] * len(table)


def _strata(labels: list[tuple[str, ...]]) -> np.ndarray:
    """The stratum of each row, (N,): its rarest label."""
    counts = Counter(label for row in labels for label in row)
    rarest = [min(row, key=lambda name: (counts[name], name)) if row else "" for row in labels]
    return np.unique(np.array(rarest), return_inverse=True)[1].astype(np.int64)


def _divide(
    units: np.ndarray, strata: np.ndarray, shares: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """The split of each unit: stratum by stratum, always the split that lacks most rows."""
    sizes = np.bincount(units)
    first = np.unique(units, return_index=True)[1]
    order = np.lexsort((rng.random(len(sizes)), strata[first]))
    weights = sizes.tolist()
    parts = shares.tolist()
    lacking = [0.0, 0.0, 0.0]
    split = np.zeros(len(sizes), dtype=np.int64)
    for unit in order.tolist():
        for part in range(3):
            lacking[part] += parts[part] * weights[unit]
        chosen = max(range(3), key=lacking.__getitem__)
        lacking[chosen] -= weights[unit]
        split[unit] = chosen
    return split


def _keep_labels(split: np.ndarray, units: np.ndarray, labels: list[tuple[str, ...]]) -> None:
    """Moves to training, for each label it lacks, the smallest unit that has it."""
    holders: dict[str, list[int]] = {}
    for unit, row in zip(units.tolist(), labels, strict=True):
        for label in row:
            holders.setdefault(label, []).append(unit)
    sizes = np.bincount(units)
    for label in sorted(holders):
        if not any(split[unit] == _TRAIN for unit in holders[label]):
            split[min(holders[label], key=lambda unit: (sizes[unit], unit))] = _TRAIN


def _fill_empty(
    split: np.ndarray, units: np.ndarray, labels: list[tuple[str, ...]], shares: np.ndarray
) -> None:
    """Moves a training unit to a held-out split that stayed empty.

    Raises: FixData when no unit can be spared.
    """
    sizes = np.bincount(units)
    for part in (_TEST, _VALIDATION):
        if shares[part] == 0 or (split == part).any():
            continue
        spare = _spare(split, units, labels)
        if not spare:
            raise _too_few(split, labels, shares)
        split[min(spare, key=lambda unit: (sizes[unit], unit))] = part
    if not (split == _TRAIN).any():
        raise _too_few(split, labels, shares)


def _spare(split: np.ndarray, units: np.ndarray, labels: list[tuple[str, ...]]) -> list[int]:
    """Training units whose every label another training unit has as well."""
    trained = np.flatnonzero(split == _TRAIN).tolist()
    held: dict[int, set[str]] = {unit: set() for unit in trained}
    for unit, row in zip(units.tolist(), labels, strict=True):
        if unit in held:
            held[unit].update(row)
    counts = Counter(label for names in held.values() for label in names)
    if len(trained) < 2:
        return []
    return [unit for unit, names in held.items() if all(counts[name] > 1 for name in names)]


def _too_few(split: np.ndarray, labels: list[tuple[str, ...]], shares: np.ndarray) -> FixData:
    classes = max(1, len({label for row in labels for label in row}))
    parts = int((shares[1:] > 0).sum())
    return FixData(
        "data",
        f"{len(labels)} rows ({len(split)} that differ or may be parted) are too few to divide",
        f"At least {classes + parts} are needed: one per class for training, "
        f"and one for each of {parts} held-out splits",
        "add rows, or set data.split.validation or data.split.test to 0",
    )


class SealedTest:
    """The test rows, kept for one purpose: the last evaluation."""

    def __init__(self, indices: np.ndarray) -> None:
        self._indices = np.array(indices, dtype=np.int64)
        self._indices.setflags(write=False)
        self._openings: list[str] = []

    def __len__(self) -> int:
        return len(self._indices)

    @property
    def openings(self) -> list[str]:
        """What the seal was opened for, in order."""
        return list(self._openings)

    @property
    def seal(self) -> str:
        """A hash of the indices, to show that the same rows were sealed and opened."""
        return hash_value(self._indices.tolist())

    def open(self, purpose: str) -> np.ndarray:
        """The indices, read-only; the opening is noted.

        Raises: CheckRun when it was opened for another purpose before.
        """
        if self._openings and purpose != self._openings[0]:
            raise CheckRun(
                "sealed test split",
                f"it was opened for {self._openings[0]!r} and is asked for by {purpose!r}",
                "Only the last evaluation reads the test rows",
                "use validation rows for everything else",
            )
        self._openings.append(purpose)
        return self._indices
