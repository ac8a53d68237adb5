"""Python, processor cores, memory and disk, container limits included."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from pathlib import Path

import psutil

from luthier.stages.checks.check import Check, fail, ok, warn

_CGROUP = Path("/sys/fs/cgroup")
_UNLIMITED = 1 << 60
"""Version 1 of control groups writes a number near 2^63 where there is no limit."""


def check_python() -> Check:
    """Python's version and platform."""
    seen = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    if sys.maxsize < 2**32:
        return fail("python", f"{seen}, 32 bits", "install a 64-bit Python")
    return ok("python", seen)


def check_cores(root: Path = _CGROUP) -> Check:
    """Cores this process may use."""
    usable, limit = len(os.sched_getaffinity(0)) if _HAS_AFFINITY else _cores(), core_limit(root)
    seen = f"{usable} usable of {_cores()}"
    if limit is not None and limit < usable:
        seen += f", limited to {limit:.3g} by the container"
        threads = max(1, int(limit))
        return warn("cores", seen, f"set OMP_NUM_THREADS={threads} so that threads do not wait")
    if usable < 2:
        return warn("cores", seen, "training will be slow; two cores or more are better")
    return ok("cores", seen)


def check_memory(root: Path = _CGROUP) -> Check:
    """Memory that is free, and the container's limit where there is one."""
    machine = psutil.virtual_memory()
    free, total = machine.available, machine.total
    limit = memory_limit(root)
    seen = f"{_gib(free)} free of {_gib(total)}"
    if limit is not None and limit < total:
        free = min(free, limit)
        seen += f", limited to {_gib(limit)} by the container"
    if free < 1 << 30:
        return fail("memory", seen, "free some: even small models need 1 GiB")
    if free < 4 << 30:
        return warn("memory", seen, "use small models, or lower train.micro_batch")
    return ok("memory", seen)


def check_disk(home: Path) -> Check:
    """Free disk where runs and caches lie."""
    place = next(
        folder for folder in [home.absolute(), *home.absolute().parents] if folder.exists()
    )
    free = shutil.disk_usage(place).free
    seen = f"{_gib(free)} free at {home}"
    if free < 1 << 30:
        return fail("disk", seen, "free some, or name another folder with --home")
    if free < 10 << 30:
        return warn("disk", seen, "full checkpoints of large models will not fit")
    return ok("disk", seen)


def core_limit(root: Path = _CGROUP) -> float | None:
    """Cores the container may use, None where it may use all."""
    second = _words(root / "cpu.max")
    if second:
        return None if second[0] == "max" else int(second[0]) / int(second[1])
    quota = _words(root / "cpu" / "cpu.cfs_quota_us")
    period = _words(root / "cpu" / "cpu.cfs_period_us")
    if quota and period and int(quota[0]) > 0:
        return int(quota[0]) / int(period[0])
    return None


def memory_limit(root: Path = _CGROUP) -> int | None:
    """Bytes the container may hold, None where it may hold all."""
    words = _words(root / "memory.max") or _words(root / "memory" / "memory.limit_in_bytes")
    if not words or words[0] == "max" or int(words[0]) >= _UNLIMITED:
        return None
    return int(words[0])


def _cores() -> int:
    return os.cpu_count() or 1


# macOS and Windows have no such call.
_HAS_AFFINITY = "sched_getaffinity" in dir(os)


def _words(path: Path) -> list[str]:
    try:
        return path.read_text().split()
    except OSError:
        return []


def _gib(size: int) -> str:
    return f"{size / (1 << 30):.1f} GiB"
