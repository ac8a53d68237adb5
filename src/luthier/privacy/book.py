"""What the entries of a ledger say, read and checked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from luthier.core.errors import RepairStore
from luthier.privacy.charge import Charge
from luthier.store.entry import START, Entry
from luthier.store.journal import TORN

OPEN, CHARGE, PLAN, CLOSE = "privacy.open", "privacy.charge", "privacy.plan", "privacy.close"

_RESTORE = "restore the file from a copy; without it nobody knows what this data set has spent"


@dataclass
class Book:
    """The charges in order, the plans of runs that are not closed, and the newest hash."""

    dataset: str
    tip: str = START
    stamp: tuple[int, int] = (0, 0)
    opened: bool = False
    charges: list[Charge] = field(default_factory=list)
    plans: dict[str, Charge] = field(default_factory=dict)

    def take(self, entry: Entry, path: Path) -> None:
        """Adds what an entry says.

        Raises: RepairStore for an entry of an unknown kind.
        """
        place = f"{path}, line {entry.number}"
        if entry.kind == OPEN:
            self._begin(entry.payload, path)
        elif entry.kind != TORN and not self.opened:
            raise RepairStore(place, "the ledger has no beginning", advice=_RESTORE)
        elif entry.kind == CHARGE:
            self.charges.append(Charge.from_dict(entry.payload, place))
        elif entry.kind == PLAN:
            plan = Charge.from_dict(entry.payload, place)
            self.plans[plan.run] = plan
        elif entry.kind == CLOSE:
            self.plans.pop(str(entry.payload.get("run")), None)
        elif entry.kind != TORN:
            raise RepairStore(
                place, f"an entry of the kind {entry.kind!r}", "entries of a privacy ledger",
                "open it with the version of luthier that wrote it",
            )  # fmt: skip
        self.tip = entry.line_hash

    def _begin(self, payload: dict[str, Any], path: Path) -> None:
        if payload != {"dataset": self.dataset}:
            raise RepairStore(
                str(path), "it belongs to another data set", f"the data set {self.dataset}",
                "move the file back to where it came from",
            )  # fmt: skip
        self.opened = True


def read(entries: Iterable[Entry], path: Path, dataset: str, tip: str) -> Book:
    """The book of a ledger; `tip` is the newest hash that was kept beside it.

    Raises: RepairStore when entries are missing, or when it is another data set's.
    """
    book, seen = Book(dataset), tip == START
    for entry in entries:
        book.take(entry, path)
        seen = seen or entry.line_hash == tip
    book.stamp = stamp(path)
    if not seen:
        raise RepairStore(
            str(path), "entries at its end are missing, or it was written anew",
            f"the entry with the hash {tip}",
            _RESTORE,
        )  # fmt: skip
    return book


def stamp(path: Path) -> tuple[int, int]:
    """Size in bytes and time of the last change in nanoseconds; zeros without a file."""
    if not path.exists():
        return 0, 0
    facts = path.stat()
    return facts.st_size, facts.st_mtime_ns
