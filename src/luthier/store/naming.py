"""Ids of runs: short, sorted by time, and found again from a part."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from luthier.core.errors import CheckRun, nearest

_TICKS = 1 << 24
_DAY = 86_400 * 10**6
"""In microseconds, the smallest step of a moment."""

SHORTEST_PREFIX = 4


def id_at(moment: datetime) -> str:
    """The id of a run that begins at `moment`: the day in UTC and the part of it that is over.

    >>> id_at(datetime(2026, 11, 25, 12, tzinfo=UTC))
    '20261125-800000'
    """
    day, tick = _tick(moment)
    return f"{day:%Y%m%d}-{tick:06x}"


def next_moment(moment: datetime) -> datetime:
    """The first moment after this one with another id; it skips none.

    >>> id_at(next_moment(datetime(2026, 11, 25, 12, tzinfo=UTC)))
    '20261125-800001'
    """
    day, tick = _tick(moment)
    return day + timedelta(microseconds=-(-(tick + 1) * _DAY // _TICKS))


def _tick(moment: datetime) -> tuple[datetime, int]:
    moment = moment.astimezone(UTC)
    day = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return day, (moment - day) // timedelta(microseconds=1) * _TICKS // _DAY


def match(name: str, ids: list[str]) -> str:
    """The id that is `name`, begins with it, or is the newest for "last"; `ids` newest first.

    Raises: CheckRun when there is none, or more than one.
    """
    place = f"run {name!r}"
    if not ids:
        raise CheckRun(place, "the store holds no run", advice="start one with `luthier run`")
    if name == "last":
        return ids[0]
    if name in ids:
        return name
    found = [known for known in ids if known.startswith(name)]
    if len(name) < SHORTEST_PREFIX and found:
        raise CheckRun(
            place, "it is too short", f"at least {SHORTEST_PREFIX} characters of an id", _try(found)
        )
    if not found:
        close = nearest(name, ids)
        raise CheckRun(
            place,
            "there is no such run",
            "an id, its beginning, a run's folder, or `last`",
            _try([close] if close else ids),
        )
    if len(found) > 1:
        raise CheckRun(place, f"{len(found)} runs begin so", "the beginning of one id", _try(found))
    return found[0]


def named(run: str, runs: Path) -> str:
    """The id that the path of a run's folder stands for; anything but a path as it is.

    Raises: CheckRun for a folder that is not in `runs`.
    """
    path = Path(run)
    if path.resolve().parent == runs.resolve():
        return path.resolve().name
    if path.name == run:
        return run
    raise CheckRun(
        run,
        "this is no folder of a run of this store",
        f"the folders in {runs}",
        "name another store with --home",
    )


def _try(ids: list[str]) -> str:
    more = f" or {len(ids) - 3} more" if len(ids) > 3 else ""
    return f"try {', '.join(ids[:3])}{more}"
