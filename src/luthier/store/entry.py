"""One line of a journal."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from luthier.core.errors import RepairStore

START = "0" * 64
"""What the first line names as its previous one."""

_FIELDS = {"number", "time", "kind", "payload", "previous", "digest"}


@dataclass(frozen=True)
class Entry:
    """An entry: its number from 1, its time in UTC (ISO 8601), what it is and what it says.

    `previous` and `line_hash` are the SHA-256 of the line before it and of its own line.
    """

    number: int
    time: str
    kind: str
    payload: dict[str, Any]
    previous: str
    line_hash: str = ""


def line_of(entry: Entry) -> bytes:
    """The line of an entry with its newline, in ASCII.

    Raises: TypeError or ValueError for a payload that JSON cannot hold.
    """
    fields = {
        "number": entry.number,
        "time": entry.time,
        "kind": entry.kind,
        "payload": entry.payload,
        "previous": entry.previous,
    }
    return (_text(fields | {"digest": _digest(fields)}) + "\n").encode("ascii")


def parse(line: bytes, path: Path, number: int | None, previous: str | None) -> Entry:
    """The entry of a line, its digest checked; its number and chain too, where they are given.

    Raises: RepairStore naming the line.
    """
    place = f"{path}, {'last line' if number is None else f'line {number}'}"
    fields = _fields(line, place)
    # Comparing the text as well refuses a line that says the same in other bytes.
    if fields["digest"] != _digest({k: v for k, v in fields.items() if k != "digest"}) or (
        line != (_text(fields) + "\n").encode("ascii")
    ):
        raise _broken(place, "the line was changed after it was written")
    if number is not None and fields["number"] != number:
        raise _broken(place, f"the line has the number {fields['number']}")
    if previous is not None and fields["previous"] != previous:
        raise _broken(place, "the line does not follow the one before it")
    line_hash = hashlib.sha256(line.rstrip(b"\n")).hexdigest()
    return Entry(
        fields["number"], fields["time"], fields["kind"], fields["payload"], fields["previous"],
        line_hash,
    )  # fmt: skip


def _fields(line: bytes, place: str) -> dict[str, Any]:
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise _broken(place, f"the line is not JSON ({error})") from error
    if not isinstance(fields, dict) or set(fields) != _FIELDS:
        raise _broken(place, "the line is no entry of a journal")
    return fields


def _text(fields: dict[str, Any]) -> str:
    return json.dumps(fields, separators=(",", ":"), allow_nan=False)


def _digest(fields: dict[str, Any]) -> str:
    return hashlib.sha256(_text(fields).encode("ascii")).hexdigest()


def _broken(place: str, met: str) -> RepairStore:
    return RepairStore(place, met, advice="restore the file from a copy")
