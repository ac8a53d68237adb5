"""What a person has said about the rows of a pool, kept so that no answer is ever lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from luthier.core.errors import CheckRun
from luthier.store.journal import TORN, Journal

BEGIN, BATCH, ANSWER, SKIP, UNDO = "begin", "batch", "answer", "skip", "undo"


@dataclass(frozen=True)
class Given:
    """One label: why the row was asked, how long the answer took, and who gave it."""

    label: str
    quota: str
    seconds: float | None = None
    source: str = "human"


@dataclass
class Sheet:
    """The state that a journal of labels adds up to. Rows are named by keys, texts are not held.

    `given` and `skipped` are in order, `queue` holds what is left of the batch as (key, quota),
    `starts` how many labels there were when each batch was chosen.
    """

    given: dict[str, Given] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    queue: list[tuple[str, str]] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    _asked: list[tuple[str, str]] = field(default_factory=list)

    def take(self, kind: str, said: Mapping[str, Any]) -> None:
        """Adds what one entry says.

        Raises: CheckRun for an entry of an unknown kind.
        """
        match kind:
            case "begin" | "journal.torn":
                return
            case "batch":
                self.queue = [(key, quota) for key, quota in said["rows"]]
                self.starts.append(len(self.given))
            case "answer":
                key, quota = said["row"], said["quota"]
                self.given[key] = Given(said["label"], quota, said["seconds"], said["source"])
                self._leave(key, quota)
            case "skip":
                self.skipped[said["row"]] = said["quota"]
                self._leave(said["row"], said["quota"])
            case "undo":
                key, quota = self._asked.pop()
                self.given.pop(key, None)
                self.skipped.pop(key, None)
                self.queue.insert(0, (key, quota))
            case _:
                raise CheckRun(
                    "journal of labels", f"an entry of the kind {kind!r}", "another file"
                )

    @property
    def can_undo(self) -> bool:
        """Whether there is an answer to take back."""
        return bool(self._asked)

    def seconds(self) -> float | None:
        """The median seconds that an answer took; None before the first timed one."""
        timed = [g.seconds for g in self.given.values() if g.seconds is not None]
        return float(np.median(timed)) if timed else None

    def _leave(self, key: str, quota: str) -> None:
        if (key, quota) in self.queue:
            self.queue.remove((key, quota))
            self._asked.append((key, quota))


class Book:
    """A sheet and the journal behind it: an answer counts once it is on disk."""

    def __init__(self, path: Path) -> None:
        """Reads what is there.

        Raises: RepairStore for a damaged journal.
        """
        self.journal = Journal(path)
        self.sheet = Sheet()
        self._entries = 0
        self.torn = False
        for entry in self.journal.read():
            self.sheet.take(entry.kind, entry.payload)
            self.torn = self.torn or entry.kind == TORN
            self._entries = entry.number

    def begin(self, facts: Mapping[str, Any]) -> None:
        """Notes under what conditions the following answers are given."""
        self._add(BEGIN, facts)

    def batch(self, rows: Sequence[tuple[str, str]]) -> None:
        """The next questions, (key, quota) each."""
        self._add(BATCH, {"rows": [list(row) for row in rows]})

    def answer(self, key: str, given: Given) -> None:
        """A label, which replaces an earlier one of the row."""
        said = {"row": key, "label": given.label, "quota": given.quota, "seconds": given.seconds}
        self._add(ANSWER, said | {"source": given.source})

    def skip(self, key: str, quota: str) -> None:
        """A row that the person can't or won't label; it is not asked again."""
        self._add(SKIP, {"row": key, "quota": quota})

    def undo(self) -> None:
        """Takes the last answer to a question back; it is asked again next.

        Raises: CheckRun when there is none.
        """
        if not self.sheet.can_undo:
            raise CheckRun("undo", "no question was answered yet", "an answer to take back")
        self._add(UNDO, {})

    def _add(self, kind: str, said: Mapping[str, Any]) -> None:
        entry = self.journal.append(kind, dict(said))
        if entry.number != self._entries + 1:
            raise CheckRun(
                str(self.journal.path),
                "another session adds labels to this file at the same time",
                "one session for each file",
                "end one of them and begin again: nothing is lost, all labels are in the file",
            )
        self._entries = entry.number
        self.sheet.take(kind, said)
