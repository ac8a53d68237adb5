"""Evidence of a run for risk frameworks: what was measured, what is missing, what is stale."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Any

from luthier.core.errors import CheckRun
from luthier.core.files import write_json
from luthier.core.hashing import hash_file

FILE = "evidence.json"
AUDIT = "audit.json"
_SOURCES = ("metrics", "safety", "data_report", "audit")


def write_evidence(folder: Path, generative: bool, now: datetime) -> dict[str, Any]:
    """Writes evidence.json from the files of a run's folder and returns it.

    A line is `measured` when the run holds the fact it names, else `missing`; lines that do not
    concern the model are left out and counted. A control is never met by text alone: what people
    must attest stays missing here.

    Raises: FreeDisk; CheckRun when the folder holds no metrics.
    """
    catalogue = frameworks()
    facts = _facts(folder)
    concerned = [x for x in catalogue["lines"] if x["for"] == "all" or generative]
    lines = [_line(one, facts) for one in concerned]
    told = {
        "frameworks": catalogue["frameworks"],
        "catalogue": catalogue["version"],
        "written": now.astimezone(UTC).isoformat(timespec="seconds"),
        "files": {n: hash_file(folder / n) for n in _names() if (folder / n).is_file()},
        "lines": lines,
        "left_out": len(catalogue["lines"]) - len(concerned),
    }
    write_json(folder / FILE, told)
    return told


def refresh_evidence(folder: Path, generative: bool) -> None:
    """Adds what was measured after the run, such as an audit; dates stay those of the run.

    Nothing is added where there is no evidence, or where a file it rests on was changed: that must
    stay visible.

    Raises: FreeDisk.
    """
    if not (folder / FILE).is_file():
        return
    told = json.loads((folder / FILE).read_text(encoding="utf-8"))
    known = {name: digest for name, digest in told["files"].items() if name != AUDIT}
    if told["catalogue"] == frameworks()["version"] and all(
        _same(folder / name, digest) for name, digest in known.items()
    ):
        write_evidence(folder, generative, datetime.fromisoformat(told["written"]))


def standing(folder: Path, now: datetime) -> list[dict[str, Any]]:
    """The lines of a run's evidence as they stand now: measured facts become `stale` when a file
    they rest on has changed, the catalogue is another one, or they are older than it allows.

    Raises: CheckRun when there is no evidence.
    """
    try:
        told = json.loads((folder / FILE).read_text(encoding="utf-8"))
        age = (now - datetime.fromisoformat(told["written"])).days
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckRun(str(folder), "there is no evidence that can be read") from error
    catalogue = frameworks()
    changed = [n for n, digest in told["files"].items() if not _same(folder / n, digest)]
    reason = ""
    if changed:
        reason = f"{', '.join(changed)} changed since"
    elif told["catalogue"] != catalogue["version"]:
        reason = f"the catalogue is now of {catalogue['version']}"
    elif age > catalogue["stale_after_days"]:
        reason = f"it is {age} days old"
    return [
        line | {"status": "stale", "why": reason} if reason and line["status"] == "measured"
        else line
        for line in told["lines"]
    ]  # fmt: skip


def frameworks() -> dict[str, Any]:
    """The catalogue of subcategories and actions with its version and dates."""
    file = resources.files("luthier.stages.safety") / "frameworks.json"
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def _names() -> list[str]:
    return [f"{name}.json" for name in _SOURCES]


def _facts(folder: Path) -> dict[str, Any]:
    if not (folder / "metrics.json").is_file():
        raise CheckRun(str(folder), "it holds no metrics.json", "the folder of an evaluated run")
    return {
        name: json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        for name in _SOURCES
        if (folder / f"{name}.json").is_file()
    }


def _line(one: Mapping[str, Any], facts: Mapping[str, Any]) -> dict[str, Any]:
    shared = {"subcategory": one["subcategory"], "actions": one["actions"], "what": one["what"]}
    if one["fact"] == "missing":
        return shared | {"status": "measured", "why": "", "value": "the lines marked missing here"}
    value: Any = facts
    for part in one["fact"].split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    if value is None:
        why = "a person must attest it" if one["fact"].startswith("attestation") else "not run"
        return shared | {"status": "missing", "why": why, "value": None}
    return shared | {"status": "measured", "why": "", "value": _short(value)}


def _short(value: Any) -> Any:
    """A fact as it is where it is small, else its keys or its length."""
    if isinstance(value, Mapping):
        plain = {k: v for k, v in value.items() if isinstance(v, str | int | float | bool)}
        return plain or sorted(value)
    return len(value) if isinstance(value, list) else value


def _same(file: Path, digest: str) -> bool:
    return file.is_file() and hash_file(file) == digest
