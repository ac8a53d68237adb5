"""From canonical rows to tokens, targets and weights, under one prompt contract."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from luthier.core.errors import FixData
from luthier.core.types import RowNumber, Task, file_of
from luthier.data.feed.contract import PromptContract
from luthier.data.feed.example import Example, Numbered, examples_of
from luthier.data.feed.labels import LabelSet
from luthier.data.feed.masking import Masking
from luthier.data.feed.ragged import Ragged


class Rows(Protocol):
    """What encoding needs of a table."""

    task: Task

    def __len__(self) -> int:
        """Number of rows."""

    def row(self, index: int) -> dict[str, Any]:
        """One canonical row."""

    def take(self, indices: Sequence[int]) -> Iterator[dict[str, Any]]:
        """The rows at `indices`, in their order."""

    def source_row(self, index: int) -> int:
        """Its 1-based number in the source file; a `RowNumber` where the file is known."""


@dataclass
class EncodeCount:
    """What became of the rows on their way to tokens."""

    rows: int = 0
    tokens: int = 0
    supervised: int = 0
    truncated_rows: int = 0
    truncated_tokens: int = 0
    dropped_rows: int = 0
    where_truncated: list[int] = field(default_factory=list)
    where_dropped: list[int] = field(default_factory=list)
    files_truncated: list[str] = field(default_factory=list)
    files_dropped: list[str] = field(default_factory=list)

    @property
    def truncated(self) -> list[RowNumber]:
        """The first rows that were cut."""
        return list(map(RowNumber, self.where_truncated, self.files_truncated))

    @property
    def dropped(self) -> list[RowNumber]:
        """The first rows that were left out."""
        return list(map(RowNumber, self.where_dropped, self.files_dropped))


@dataclass(frozen=True)
class Encoded:
    """Token sequences of a table.

    `rows[m]` is the table index of example m. `targets` are class numbers (M,), a multi-hot matrix
    (M, C), values (M,), or tags per token. Preference examples own two sequences: 2m is the
    chosen and 2m + 1 the rejected answer. With `masking`, tokens are hidden when a batch is made,
    and `learn` holds the fixed masks.
    """

    task: Task
    ids: Ragged
    rows: NDArray[np.int64]
    weights: NDArray[np.float32]
    learn: Ragged | None = None
    targets: NDArray[np.generic] | Ragged | None = None
    offsets: Ragged | None = None
    count: EncodeCount = field(default_factory=EncodeCount)
    masking: Masking | None = None

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each example; of the longer answer for preference pairs."""
        lengths = self.ids.lengths
        return lengths.reshape(-1, 2).max(1) if self.task is Task.PREFER else lengths

    def among(self, table_rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Example numbers whose table row is among `table_rows`, in their order."""
        wanted = np.zeros(int(max(self.rows.max(initial=-1), table_rows.max(initial=-1))) + 1, bool)
        wanted[table_rows] = True
        return np.flatnonzero(wanted[self.rows])

    def save(self, folder: Path) -> None:
        """Plain .npy files and a JSON file in `folder`."""
        self.ids.save(folder, "ids")
        np.save(folder / "rows.npy", self.rows, allow_pickle=False)
        np.save(folder / "weights.npy", self.weights, allow_pickle=False)
        for name in ("learn", "offsets"):
            ragged = getattr(self, name)
            if ragged is not None:
                ragged.save(folder, name)
        if isinstance(self.targets, Ragged):
            self.targets.save(folder, "targets")
        elif self.targets is not None:
            np.save(folder / "targets.npy", self.targets, allow_pickle=False)
        about = {"task": self.task.value, "count": asdict(self.count)}
        if self.masking is not None:
            about["masking"] = asdict(self.masking)
        (folder / "encoded.json").write_text(json.dumps(about), encoding="utf-8")

    @staticmethod
    def load(folder: Path) -> Encoded:
        """What `save` wrote; token arrays are memory-mapped."""
        about = json.loads((folder / "encoded.json").read_text(encoding="utf-8"))

        def ragged(name: str) -> Ragged | None:
            there = (folder / f"{name}.values.npy").exists()
            return Ragged.load(folder, name) if there else None

        targets: NDArray[np.generic] | Ragged | None = ragged("targets")
        if (folder / "targets.npy").exists():
            targets = np.load(folder / "targets.npy", allow_pickle=False)
        masking = about.get("masking")
        if masking is not None:
            masking = Masking(**(masking | {"special": tuple(masking["special"])}))
        return Encoded(
            task=Task(about["task"]),
            ids=Ragged.load(folder, "ids"),
            rows=np.load(folder / "rows.npy", allow_pickle=False),
            weights=np.load(folder / "weights.npy", allow_pickle=False),
            learn=ragged("learn"),
            targets=targets,
            offsets=ragged("offsets"),
            count=EncodeCount(**about["count"]),
            masking=masking,
        )


def encode(
    table: Rows,
    contract: PromptContract,
    labels: LabelSet,
    place: str,
    indices: Sequence[int] | None = None,
) -> Encoded:
    """Every row of `table` (or those at `indices`) as tokens.

    Raises: FixData for an overlong row under `refuse`, an unknown label, or when no row is left.
    """
    chosen = range(len(table)) if indices is None else indices
    count = EncodeCount()
    examples: list[Example] = []
    for block in _blocks(chosen, 1000):
        rows = zip(block, table.take(block), strict=True)
        sources = {i: table.source_row(i) for i in block}
        named = {i: f"{file_of(n) or place}, row {n}" for i, n in sources.items()}
        numbered = [Numbered(i, named[i], row) for i, row in rows]
        for example in examples_of(numbered, table.task, contract, labels):
            if _count(example, count, sources[example.row], contract, named[example.row]):
                examples.append(example.compact())
    count.rows = len({e.row for e in examples})
    if not examples:
        raise FixData(place, "no row is left to learn from", advice="see the data report")
    return replace(_columns(table.task, examples, count), masking=contract.masking)


def nothing(task: Task) -> Encoded:
    """No row at all, for a classifier that is made from descriptions."""
    return Encoded(
        task=task,
        ids=Ragged.pack((), "int32"),
        rows=np.zeros(0, np.int64),
        weights=np.zeros(0, np.float32),
        targets=np.zeros(0, np.int64),
    )


def _count(
    example: Example, count: EncodeCount, source: int, contract: PromptContract, place: str
) -> bool:
    if example.cut:
        if contract.overlong == "refuse":
            raise FixData(
                place,
                f"it is {example.cut} tokens longer than {contract.max_tokens}",
                advice="raise model.max_tokens or set model.overlong to truncate or drop",
            )
        count.truncated_rows += 1
        count.truncated_tokens += example.cut
        if len(count.where_truncated) < 20:
            count.where_truncated.append(int(source))
            count.files_truncated.append(file_of(source))
    supervised = example.supervised
    if supervised == 0 or (example.cut and contract.overlong == "drop"):
        count.dropped_rows += 1
        if len(count.where_dropped) < 20:
            count.where_dropped.append(int(source))
            count.files_dropped.append(file_of(source))
        return False
    count.tokens += sum(map(len, example.ids))
    count.supervised += supervised
    return True


def _columns(task: Task, examples: list[Example], count: EncodeCount) -> Encoded:
    targets: NDArray[np.generic] | Ragged | None = None
    if task in (Task.CLASSIFY, Task.MULTILABEL, Task.REGRESS):
        kind = np.int64 if task is Task.CLASSIFY else np.float32
        targets = np.asarray([e.target for e in examples], dtype=kind)
    elif task is Task.TAG:
        targets = Ragged.pack((e.target for e in examples), "int16")
    learn = None
    if task.generates:
        learn = Ragged.pack((mask for e in examples for mask in e.learn), "uint8")
    offsets = None
    if task is Task.TAG:
        offsets = Ragged.pack((np.asarray(e.offsets).reshape(-1, 2) for e in examples), "int32")
    per_token = task in (Task.INSTRUCT, Task.ADAPT, Task.TAG)
    return Encoded(
        task=task,
        ids=Ragged.pack((ids for e in examples for ids in e.ids), "int32"),
        rows=np.asarray([e.row for e in examples], dtype=np.int64),
        weights=np.asarray(
            [e.weight * (e.supervised if per_token else 1.0) for e in examples], dtype=np.float32
        ),
        learn=learn,
        targets=targets,
        offsets=offsets,
        count=count,
    )


def _blocks(indices: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    for start in range(0, len(indices), size):
        yield indices[start : start + size]
