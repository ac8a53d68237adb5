"""Progress on standard error: a live bar on a terminal, sparse lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from luthier.core.progress import Progress, Silence

if TYPE_CHECKING:
    from rich.progress import Progress as Bars

_EVERY_S = 5.0
"""Seconds between two lines where no terminal shows a bar."""


class Listener(Progress, Protocol):
    """A `Progress` of the command line."""


@contextmanager
def open_listener(silent: bool) -> Iterator[Listener]:
    """A listener that fits where standard error goes; what it shows ends with the block."""
    if silent:
        yield Silence()
        return
    listener = Live() if sys.stderr.isatty() else Lines()
    try:
        yield listener
    except BaseException:
        listener.close(whole=False)
        raise
    listener.close()


class Pace:
    """How far one piece of work is, as text."""

    def __init__(self, name: str, total: int | None, unit: str) -> None:
        self.name, self.total, self.unit = name, total, unit
        self.done, self.note, self.began = 0, "", time.monotonic()

    def advance(self, units: int, note: str) -> None:
        """Counts `units`; an empty note leaves the last one."""
        self.done += units
        self.note = note or self.note

    @property
    def seconds(self) -> float:
        """Since the work began."""
        return time.monotonic() - self.began

    @property
    def rate(self) -> float:
        """Units per second, 0 at the start."""
        return self.done / self.seconds if self.seconds > 0 else 0.0

    def line(self) -> str:
        """Name, how much is done, rate, time left and note."""
        parts = [self.name]
        if self.total:
            parts.append(f"{self.done}/{self.total} {self.unit}".strip())
            parts.append(f"{min(1.0, self.done / self.total):.0%}")
        elif self.done:
            parts.append(f"{self.done} {self.unit}".strip())
        if self.rate > 0:
            parts.append(f"{self.rate:,.1f} {self.unit or 'units'}/s")
            if self.total and self.done < self.total:
                parts.append(f"{span((self.total - self.done) / self.rate)} left")
        return "  ".join([*parts, self.note] if self.note else parts)

    def last_line(self) -> str:
        """What was done, and in how long."""
        amount = f"  {self.done:,} {self.unit}".rstrip() if self.done else ""
        note = f"  {self.note}" if self.note else ""
        return f"{self.name}{amount}  in {span(self.seconds)}{note}"


class Lines:
    """At most one line every few seconds."""

    def __init__(self) -> None:
        self._pace: Pace | None = None
        self._printed = 0.0

    def start(self, name: str, total: int | None = None, unit: str = "") -> None:
        """Tells that the work before is done, and what begins."""
        self.close()
        self._pace = Pace(name, total, unit)
        self._printed = time.monotonic()
        amount = f" ({total:,} {unit})".replace(" )", ")") if total else ""
        self._print(f"{name}{amount} ...")

    def advance(self, units: int = 1, note: str = "") -> None:
        """Counts, and prints when the last line is old enough."""
        if self._pace is None:
            return
        self._pace.advance(units, note)
        if time.monotonic() - self._printed >= _EVERY_S:
            self._printed = time.monotonic()
            self._print(self._pace.line())

    def say(self, message: str) -> None:
        """A line at once."""
        self._print(message)

    def close(self, whole: bool = True) -> None:
        """Ends the work at hand; `whole` says that it was not broken off."""
        if self._pace is not None and whole:
            self._print(self._pace.last_line())
        self._pace = None

    def _print(self, line: str) -> None:
        print(line, file=sys.stderr, flush=True)


class Live:
    """A bar that moves; finished work stays above it as a line."""

    def __init__(self) -> None:
        self._bars = _bars()
        self._bars.start()
        self._pace: Pace | None = None
        self._bar: Any = None

    def start(self, name: str, total: int | None = None, unit: str = "") -> None:
        """Turns the work before into a line and shows a new bar."""
        self._finish()
        self._pace = Pace(name, total, unit)
        self._bar = self._bars.add_task(name, total=total, status="")

    def advance(self, units: int = 1, note: str = "") -> None:
        """Moves the bar."""
        if self._pace is None:
            return
        pace = self._pace
        pace.advance(units, note)
        rate = f"{pace.rate:,.1f} {pace.unit or 'units'}/s" if pace.rate > 0 else ""
        status = "  ".join(part for part in (rate, pace.note) if part)
        self._bars.update(self._bar, completed=pace.done, status=status)

    def say(self, message: str) -> None:
        """A line above the bar."""
        self._bars.console.print(message, markup=False, highlight=False)

    def close(self, whole: bool = True) -> None:
        """Ends the display; work that was broken off leaves no line."""
        self._finish(whole)
        self._bars.stop()

    def _finish(self, whole: bool = True) -> None:
        if self._pace is None:
            return
        self._bars.remove_task(self._bar)
        if whole:
            self._bars.console.print(f"✓ {self._pace.last_line()}", markup=False, highlight=False)
        self._pace = None


def _bars() -> Bars:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.progress import (
        Progress as Bars,
    )

    return Bars(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[status]}", markup=False),
        console=Console(stderr=True),
        transient=True,
    )


def span(seconds: float) -> str:
    """A length of time for people: 4.2 s, 3:07, 1:02:09."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
