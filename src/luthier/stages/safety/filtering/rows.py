"""Screens rows and keeps account of what was met: kinds, counts and row numbers, no text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from luthier.core.types import Finding, Level, RowNumber, file_of
from luthier.screen.action import Action, Verdict, judge, strongest
from luthier.screen.rule import Group, Span
from luthier.screen.screen import Screen
from luthier.screen.surrogate import Surrogates

SHOWN = 20
"""Row numbers kept for each kind of finding."""
Row = dict[str, Any]


@dataclass(frozen=True)
class Guard:
    """A screen with the action of each group and the surrogates of one run."""

    screen: Screen
    actions: dict[Group, Action]
    surrogates: Surrogates
    missing: str = ""
    """Why learned filters do not run, if they do not."""

    def judge(self, text: str) -> Verdict:
        """The verdict on one text."""
        return judge(text, self.screen.find(text), self.actions, self.surrogates)

    def judge_row(self, row: Row) -> tuple[Row, Action, list[Span]]:
        """The row with every text in it redacted, the strictest action, and all findings.

        Marked spans move with the text that they mark.
        """
        met: list[Span] = []
        actions: list[Action] = []

        def told(value: Any, key: str = "") -> Any:
            if isinstance(value, str) and key not in _NO_TEXT:
                verdict = self.judge(value)
                met.extend(verdict.found)
                actions.append(verdict.action)
                return verdict.text
            if isinstance(value, dict):
                return {k: told(v, k) for k, v in value.items()}
            if isinstance(value, list | tuple) and key not in _NO_TEXT:
                return [told(item) for item in value]
            return value

        screened = told(row)
        if isinstance(row.get("text"), str) and row.get("spans") and screened["text"]:
            found = self.screen.find(row["text"])
            screened["spans"] = self._moved(row["text"], row["spans"], found)
        return screened, strongest(actions), met

    def _moved(self, text: str, spans: list[Any], found: list[Span]) -> list[Any]:
        """Spans in the redacted text: their ends go to where the same characters, or their
        surrogates, begin and end now."""
        places: list[tuple[int, int, int]] = []
        for span in found:
            if self.actions.get(span.group) == "redact":
                value = text[span.start : span.end]
                size = len(self.surrogates.write(value, span.kind, span.group))
                places.append((span.start, span.end, size))

        def new(at: int, end: bool) -> int:
            grown = 0
            for start, stop, size in places:
                if at >= stop:
                    grown += size - (stop - start)
                elif at > start:
                    return start + grown + (size if end else 0)
            return at + grown

        return [[new(s, False), new(e, True), *rest] for s, e, *rest in spans]


_NO_TEXT = frozenset({"label", "labels", "role", "spans", "group", "identity", "weight", "id"})


@dataclass
class Account:
    """What a screening met."""

    rows: int = 0
    dropped: list[int] = field(default_factory=list)
    touched: Counter[str] = field(default_factory=Counter)
    spans: Counter[str] = field(default_factory=Counter)
    groups: dict[str, str] = field(default_factory=dict)
    where: dict[str, list[int]] = field(default_factory=dict)
    actions: Counter[str] = field(default_factory=Counter)

    def note(self, number: int, action: Action, met: list[Span]) -> None:
        """Counts the findings of one row."""
        self.rows += 1
        self.spans.update(span.kind for span in met)
        for kind, group in {span.kind: span.group for span in met}.items():
            self.touched[kind] += 1
            self.groups[kind] = group
            shown = self.where.setdefault(kind, [])
            if len(shown) < SHOWN:
                shown.append(number)
        if met:
            self.actions[action] += 1
        if action == "block":
            self.dropped.append(number)

    def as_dict(self) -> dict[str, Any]:
        """A JSON-ready form: counts by kind with row numbers, never a text."""
        kinds = [
            {
                "kind": kind,
                "group": self.groups[kind],
                "rows": rows,
                "spans": self.spans[kind],
                "first_rows": [int(n) for n in self.where[kind]],
                "files": sorted({file_of(n) for n in self.where[kind]} - {""}),
                "where": _where(self.where[kind]),
            }
            for kind, rows in self.touched.most_common()
        ]
        return {
            "rows": self.rows,
            "touched": sum(self.actions.values()),
            "dropped": len(self.dropped),
            "actions": dict(self.actions),
            "kinds": kinds,
        }

    def findings(self, actions: dict[Group, Action]) -> list[Finding]:
        """Findings for the data report, one for each kind."""
        found = [
            Finding.at(
                f"filter-{kind}",
                Level.INFO if actions.get(self.groups[kind]) == "redact" else Level.WARNING,  # type: ignore[call-overload]
                f"{rows} rows hold {kind.replace('-', ' ')}: {_DONE[actions[self.groups[kind]]]}",  # type: ignore[index]
                rows,
                self.where[kind],
            )
            for kind, rows in self.touched.most_common()
        ]
        if self.dropped:
            found.append(
                Finding.at(
                    "filter-dropped",
                    Level.WARNING,
                    f"{len(self.dropped)} rows were left out because filters block them",
                    len(self.dropped),
                    self.dropped[:SHOWN],
                )
            )
        return found


def _where(numbers: list[int], most: int = 8) -> str:
    """The first row numbers in words, each with its file where it is known, without folders."""
    named = [
        RowNumber(number, PurePath(file).name) if (file := file_of(number)) else number
        for number in numbers
    ]
    return Finding.at("", Level.INFO, "", len(named), named).where(most)


_DONE = {
    "allow": "left as it is",
    "redact": "replaced by surrogates",
    "human": "left for a person to look at",
    "regenerate": "left as it is",
    "block": "such rows are left out",
}


def screened(
    rows: Iterator[tuple[int, Row]], guard: Guard, account: Account
) -> Iterator[tuple[int, Row]]:
    """The rows that may be used, redacted where asked; `account` learns what was met."""
    for number, row in rows:
        told, action, met = guard.judge_row(row)
        account.note(number, action, met)
        if action != "block":
            yield number, told
