"""What a data set has spent of its privacy, over all its runs.

A charge is on disk before the update it pays for. What a crash, a rollback to an older state or
a second attempt repeats is charged again; nothing is ever paid back. The entries are chained by
their hashes (`store.journal`), and the newest hash stands in a second file, so that entries
cannot be changed, moved, taken out or cut off unseen. Who can rewrite both files can forge them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from luthier.core.errors import FixRecipe, RepairStore
from luthier.core.files import disk_errors, write_json
from luthier.privacy.accountant import total
from luthier.privacy.book import CHARGE, CLOSE, OPEN, PLAN, Book, read, stamp
from luthier.privacy.charge import Charge, held, merged
from luthier.privacy.event import Event
from luthier.store.entry import START
from luthier.store.journal import Journal
from luthier.store.lock import locked


def ledger_path(store: Path, dataset: str) -> Path:
    """Where the ledger of a data set lies in a store's folder."""
    return store / "privacy" / f"{dataset}.jsonl"


@dataclass(frozen=True)
class Allowance:
    """The most that all runs on a data set may spend: `epsilon` at `delta`."""

    epsilon: float
    delta: float


class Ledger:
    """The ledger of one data set. Processes and threads may share its file."""

    def __init__(self, path: Path, dataset: str) -> None:
        """Use `open`."""
        self.path, self.dataset = path, dataset
        self._journal = Journal(path)
        self._tip_path = path.with_name(path.name + ".tip")
        self._book = Book(dataset)
        self._allowance: Allowance | None = None

    @staticmethod
    def open(path: Path, dataset: str) -> Ledger:
        """The ledger of the data set whose fingerprint is `dataset`, made when there is none.

        Raises: RepairStore when it was changed afterwards or belongs to other data; FreeDisk.
        """
        ledger = Ledger(path, dataset)
        with ledger._alone():
            if not path.exists() and not ledger._tip_path.exists():
                write_json(ledger._tip_path, {"tip": START})
            ledger._read()
            if not ledger._book.opened:
                ledger._append(OPEN, {"dataset": dataset})
        return ledger

    @staticmethod
    def known(path: Path, dataset: str) -> Ledger | None:
        """The ledger as `open` gives it, or None for a data set that never spent anything.

        Raises: as `open`, also where the file is gone and its newest hash is left.
        """
        ledger = Ledger(path, dataset)
        if not path.exists() and not ledger._tip_path.exists():
            return None
        return Ledger.open(path, dataset)

    def charge(self, event: Charge) -> None:
        """Writes a charge; when this returns it is on disk, and the update may be made.

        Raises: FixRecipe when it exceeds the allowance (nothing is charged then); RepairStore;
        FreeDisk.
        """
        with self._alone():
            self._refresh()
            if self._allowance is not None:
                self._check(event, self._allowance)
            self._append(CHARGE, event.as_dict())

    def plan(self, event: Charge, allowance: Allowance) -> None:
        """Holds what a run is going to spend, so that a second run cannot spend it meanwhile.

        Later charges of this ledger beyond the plan are checked against the allowance too.

        Raises: FixRecipe when the allowance does not suffice; RepairStore; FreeDisk.
        """
        with self._alone():
            self._refresh()
            self._allowance = allowance
            self._check(event, allowance, planning=True)
            self._append(PLAN, event.as_dict())

    def foretold(self, event: Charge, delta: float, allowance: Allowance | None = None) -> float:
        """Epsilon at `delta` of all that was charged and is held, with `event` planned beside it;
        nothing is written.

        Raises: FixRecipe when the allowance does not suffice; RepairStore.
        """
        with self._alone():
            self._refresh()
            if allowance is not None:
                self._check(event, allowance, planning=True)
        return total(_owed(self._book.charges, self._book.plans | {event.run: event}), delta)

    def close(self, run: str) -> None:
        """Gives back what a run held and was not charged; its charges stay."""
        with self._alone():
            self._refresh()
            if run in self._book.plans:
                self._append(CLOSE, {"run": run})

    def spent(self, delta: float, run: str | None = None) -> float:
        """Epsilon at `delta` of all charges together, or of those of one run.

        Raises: RepairStore when the file was changed afterwards.
        """
        return total(merged(c for c in self.charges() if run in (None, c.run)), delta)

    def charges(self) -> list[Charge]:
        """Every charge, the oldest first.

        Raises: RepairStore.
        """
        with self._alone():
            self._refresh()
        return list(self._book.charges)

    def plans(self) -> dict[str, Charge]:
        """The plans of runs that are not closed."""
        with self._alone():
            self._refresh()
        return dict(self._book.plans)

    def tip(self) -> str:
        """The hash of the newest entry; whoever keeps it elsewhere can prove what was spent."""
        with self._alone():
            self._refresh()
        return self._book.tip

    def _check(self, event: Charge, allowance: Allowance, planning: bool = False) -> None:
        charges, plans = self._book.charges, self._book.plans
        before = _owed(charges, plans)
        if planning:
            after = _owed(charges, plans | {event.run: event})
        else:
            after = _owed([*charges, event], plans)
        if before == after:
            # The run's plan holds it already.
            return
        wanted = total(after, allowance.delta)
        if wanted > allowance.epsilon:
            raise self._exceeds(wanted, event.run, allowance)

    def _exceeds(self, wanted: float, run: str, allowance: Allowance) -> FixRecipe:
        charges = self._book.charges
        spent = total(merged(charges), allowance.delta)
        others = {c.run for c in held(charges, list(self._book.plans.values()))} - {run}
        return FixRecipe(
            "safety.privacy.dataset_budget",
            f"this data set has spent epsilon {spent:.2f}"
            + (f", {', '.join(sorted(others))} hold more" if others else "")
            + f", and with this run it would be {wanted:.2f}",
            f"at most {allowance.epsilon:g} at delta {allowance.delta:g}",
            "ask for a smaller epsilon, or decide on a larger budget; nothing is paid back",
        )

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with disk_errors(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.with_name(self.path.name + ".lock").open("ab") as file, locked(file):
                yield

    def _append(self, kind: str, payload: dict[str, Any]) -> None:
        """Writes the entry before its hash, so that a crash in between leaves one more entry than
        the kept hash knows, never one fewer."""
        entry = self._journal.append(kind, payload)
        write_json(self._tip_path, {"tip": entry.line_hash})
        if entry.previous == self._book.tip:
            self._book.take(entry, self.path)
            self._book.stamp = stamp(self.path)
        else:
            # A torn line was mended in between.
            self._read()

    def _refresh(self) -> None:
        """Reads the entries, unless they are known and the file is as it was."""
        if stamp(self.path) != self._book.stamp or self._tip() != self._book.tip:
            self._read()

    def _read(self) -> None:
        self._book = read(self._journal.read(), self.path, self.dataset, self._tip())

    def _tip(self) -> str:
        try:
            return str(json.loads(self._tip_path.read_text(encoding="utf-8"))["tip"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RepairStore(
                str(self._tip_path), "the hash of the ledger's newest entry cannot be read",
                advice="restore ledger and hash from a copy",
            ) from error  # fmt: skip


def _owed(charges: list[Charge], plans: dict[str, Charge]) -> list[Event]:
    """What was charged and what plans hold beyond that."""
    return merged([*charges, *held(charges, list(plans.values()))])
