"""One search replayed on a table, with a clock that runs at the recorded cost."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tables import DECISIONS, UNITS, Config, Point, Table

NOTHING = -1


@dataclass
class Play:
    """What a method sees of a table. Training and looks are charged the recorded CPU seconds, looks
    that are left out are not; what the method itself computes is charged the CPU time it took on
    this machine.

    After each look an event is kept: the time, the entry and its unit, which finished entry the
    method would ship now, and which entry leads, finished or not. `others` are the other tasks'
    tables, for methods that learn from them; they leave out the target's family themselves.
    """

    table: Table
    budget: float
    others: tuple[Table, ...] = ()
    events: list[list[float]] = field(default_factory=list)
    units: dict[int, int] = field(default_factory=dict)
    charged: float = 0.0
    _own: float = 0.0
    _began: float = field(default_factory=time.process_time)

    @property
    def now(self) -> float:
        """CPU seconds so far: trained and thought."""
        return self.charged + time.process_time() - self._began - self._own

    @property
    def over(self) -> bool:
        """Whether the budget is spent."""
        return self.now >= self.budget

    @contextmanager
    def free(self) -> Iterator[None]:
        """What is computed inside belongs to the measurement and costs nothing."""
        began = time.process_time()
        yield
        self._own += time.process_time() - began

    def nearest(self, config: Config) -> int | None:
        """The untried entry next to what a method asks for."""
        with self.free():
            return self.table.nearest(config, set(self.units))

    def advance(self, entry: int, unit: int) -> Point | None:
        """What the entry shows after so many units; None when it diverges on the way."""
        with self.free():
            about, before = self.table.entries[entry], self.units.get(entry, 0)
            self.charged += about.cost_between(before, unit)
            self.units[entry] = unit
            return about.at(unit)

    def note(self, entry: int, ships: int, leads: int) -> None:
        """Keeps an event; the method's own choice of what to ship and what leads."""
        now = self.now
        with self.free():
            thought = now - self.charged
            row = [now, entry, self.units.get(entry, 0), ships, leads, thought]
            self.events.append([round(float(v), 4) for v in row])

    def result(self, shipped: int) -> dict[str, Any]:
        """The replay in JSON form."""
        return {
            "events": self.events,
            "shipped": shipped,
            "seconds": round(self.now, 4),
            "thought": round(self.now - self.charged, 4),
            "tried": len(self.units),
        }


@dataclass
class Leader:
    """How every peer chooses: the highest score on the choosing rows, the first among equals.

    What ships must have been trained to its end, as it does in those libraries.
    """

    play: Play
    ships: int = NOTHING
    leads: int = NOTHING
    _finished: float = float("-inf")
    _seen: dict[int, float] = field(default_factory=dict)

    def advance(self, entry: int, unit: int, looks: Sequence[int] = DECISIONS) -> Point | None:
        """Advances the entry up to `unit`, looking after each of `looks` units on the way."""
        point = None
        for step in [u for u in looks if self.play.units.get(entry, 0) < u <= unit]:
            point = self.play.advance(entry, step)
            if point is None:
                self._seen.pop(entry, None)
                self.play.note(entry, self.ships, self.leads)
                return None
            self._seen[entry] = point.score
            if step == UNITS and point.score > self._finished:
                self.ships, self._finished = entry, point.score
            self.leads = max(self._seen, key=lambda e: self._seen[e])
            self.play.note(entry, self.ships, self.leads)
        return point
