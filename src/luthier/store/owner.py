"""Which process works on a run, and whether it still lives."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True)
class Owner:
    """A process: its host, its number, and when it began (numbers are given out again)."""

    host: str
    pid: int
    began: str

    @staticmethod
    def current() -> Owner:
        """The process that asks."""
        pid = os.getpid()
        return Owner(socket.gethostname(), pid, _began(pid) or "")

    @property
    def is_here(self) -> bool:
        """Whether it is or was a process of this machine."""
        return self.host == socket.gethostname()

    @property
    def is_dead(self) -> bool:
        """Whether it surely ended; of another machine's process nobody here can tell."""
        return self.is_here and _began(self.pid) != self.began


def _began(pid: int) -> str | None:
    """A mark of when a process began, or None when there is none of that number."""
    try:
        if Path("/proc/self/stat").exists():
            return _began_linux(pid)
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return f"{process.create_time():.0f}"
    except (OSError, psutil.Error):
        return None


def _began_linux(pid: int) -> str | None:
    # Ticks since boot, because the wall clock may be set while a run goes on. The command name
    # in brackets may hold spaces and brackets, so the fields are counted from the last one.
    fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return None if fields[0] in "ZX" else f"{boot}/{fields[19]}"
