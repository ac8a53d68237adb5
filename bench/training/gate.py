"""Windows of work inside a worker process: wait for `go`, work, say what it took.

Used by workers of both environments, so it imports nothing but the standard library.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from typing import Any


class Gate:
    """Standard input gives commands, the first standard output takes answers as JSON lines.

    Whatever libraries print goes to standard error.
    """

    def __init__(self) -> None:
        self._answers = os.fdopen(os.dup(1), "w", buffering=1)
        os.dup2(2, 1)
        sys.stdout = sys.stderr
        self.given: dict[str, Any] = json.loads(sys.argv[1])
        self._wall = self._cpu = 0.0
        self.rows = self.tokens = self.padded = 0
        self.left = 0

    def tell(self, **facts: Any) -> None:
        """One answer."""
        print(json.dumps(facts), file=self._answers)

    def wait(self) -> None:
        """Blocks until the next window begins; ends the process when there is none."""
        line = sys.stdin.readline().split()
        if not line or line[0] != "go":
            self.tell(peak_mb=peak_mb())
            self._answers.close()
            os._exit(0)
        self.left = int(line[1])
        self.rows = self.tokens = self.padded = 0
        self._wall, self._cpu = time.perf_counter(), cpu_seconds()

    def count(self, rows: int, tokens: int, padded: int) -> None:
        """Rows, real tokens and tokens with padding of one forward pass."""
        self.rows, self.tokens = self.rows + rows, self.tokens + tokens
        self.padded += padded

    def updated(self) -> None:
        """After each update; at the end of a window it answers and waits."""
        self.left -= 1
        if self.left > 0:
            return
        self.tell(
            wall=time.perf_counter() - self._wall,
            cpu=cpu_seconds() - self._cpu,
            rows=self.rows,
            tokens=self.tokens,
            padded=self.padded,
            peak_mb=peak_mb(),
        )
        self.wait()


def cpu_seconds() -> float:
    """User and system time of this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def peak_mb() -> float:
    """Largest resident memory of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


def spread(lengths: list[float], windows: int, per_window: int) -> list[int]:
    """Batch numbers for `windows` windows, each an even spread of all lengths.

    Short windows would otherwise measure which batches they happened to meet.
    """
    order = sorted(range(len(lengths)), key=lambda i: lengths[i])
    wanted = windows * per_window
    places = [min(len(order) - 1, int((k + 0.5) * len(order) / wanted)) for k in range(wanted)]
    return [order[places[w + windows * k]] for w in range(windows) for k in range(per_window)]
