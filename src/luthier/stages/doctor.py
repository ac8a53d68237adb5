"""What works on this machine, and what to do about the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from luthier.core.errors import LuthierError
from luthier.core.progress import Progress, Silence
from luthier.stages.checks import Check, Verdict
from luthier.stages.checks.check import fail
from luthier.stages.checks.machine import check_cores, check_disk, check_memory, check_python
from luthier.stages.checks.packages import check_embedded, check_extras, check_packages
from luthier.stages.checks.places import check_locks, check_postgres, check_store, check_writing
from luthier.stages.checks.tensors import check_formats, check_tensors, look_at_tensors

__all__ = ["Check", "Verdict", "examine", "verdict"]

Step = tuple[str, Callable[[], Iterable[Check]]]


def examine(
    home: Path,
    store_url: str | None = None,
    progress: Progress | None = None,
    fresh: bool = False,
) -> list[Check]:
    """Every check, in the order a reader wants them; what may crash runs in a child process.

    `fresh` measures the number formats again instead of taking what is kept under `home`.
    """
    listener = progress or Silence()
    checks: list[Check] = []
    steps = [*_machine(home), *_software(), *_tensors(home, fresh), *_places(home, store_url)]
    listener.start("examine", total=len(steps), unit="checks")
    for name, step in steps:
        checks += _guarded(name, step)
        listener.advance(1, name)
    return checks


def verdict(checks: Sequence[Check]) -> int:
    """An exit code: 0 when nothing failed, else 1."""
    return int(any(check.verdict is Verdict.FAIL for check in checks))


def _machine(home: Path) -> list[Step]:
    return [
        ("python", lambda: [check_python()]),
        ("cores", lambda: [check_cores()]),
        ("memory", lambda: [check_memory()]),
        ("disk", lambda: [check_disk(home)]),
    ]


def _software() -> list[Step]:
    return [
        ("packages", lambda: [check_packages()]),
        ("extras", check_extras),
        ("embedded models", check_embedded),
    ]


def _tensors(home: Path, fresh: bool) -> list[Step]:
    def tensors() -> list[Check]:
        found = look_at_tensors()
        if found.fault:
            return check_tensors(found)
        return [*check_tensors(found), *check_formats(found.device, home, fresh)]

    return [("tensors", tensors)]


def _places(home: Path, store_url: str | None) -> list[Step]:
    return [
        ("writing", lambda: [check_writing(home)]),
        ("locks", lambda: [check_locks(home)]),
        ("store", lambda: [check_store(home, store_url)]),
        ("postgresql driver", lambda: [check_postgres(store_url)]),
    ]


def _guarded(name: str, step: Callable[[], Iterable[Check]]) -> list[Check]:
    try:
        return list(step())
    except LuthierError as error:
        return [fail(name, str(error), error.advice)]
    except OSError as error:
        return [fail(name, str(error), "name another folder with --home")]
