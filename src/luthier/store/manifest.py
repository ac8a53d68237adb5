"""What a folder holds: names, sizes and hashes, and what has changed since."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar

from luthier.core.errors import RepairStore
from luthier.core.files import write_json
from luthier.core.hashing import hash_file


@dataclass(frozen=True)
class Content:
    """A file's SHA-256 in hexadecimal and its size in bytes."""

    sha256: str
    size: int


@dataclass(frozen=True)
class Difference:
    """A file that is "missing", "added" or "changed" since the manifest was written."""

    name: str
    kind: str

    def __str__(self) -> str:
        return f"{self.name} is {self.kind}"


@dataclass(frozen=True)
class Manifest:
    """The files of a folder by their relative names with `/`, itself left out."""

    FILE: ClassVar[str] = "manifest.json"

    files: dict[str, Content]

    @staticmethod
    def of(folder: Path) -> Manifest:
        """The manifest of a folder as it is now.

        Raises: OSError when a file cannot be read.
        """
        found = {}
        for path in sorted(folder.rglob("*")):
            name = path.relative_to(folder).as_posix()
            if path.is_file() and name != Manifest.FILE:
                found[name] = Content(hash_file(path), path.stat().st_size)
        return Manifest(found)

    @staticmethod
    def write(folder: Path) -> Manifest:
        """Writes `manifest.json` into a folder, whole or not at all.

        Raises: FreeDisk when the disk is full or cannot be written.
        """
        made = Manifest.of(folder)
        write_json(folder / Manifest.FILE, {name: asdict(c) for name, c in made.files.items()})
        return made

    @staticmethod
    def read(folder: Path) -> Manifest:
        """The manifest that was written into a folder.

        Raises: RepairStore when there is none or it is damaged.
        """
        path = folder / Manifest.FILE
        try:
            entries = json.loads(path.read_text(encoding="utf-8"))
            return Manifest(
                {name: Content(str(e["sha256"]), int(e["size"])) for name, e in entries.items()}
            )
        except FileNotFoundError as error:
            raise RepairStore(str(path), "there is no manifest") from error
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise RepairStore(
                str(path), f"the manifest is damaged ({error})", advice="restore it from a copy"
            ) from error

    @staticmethod
    def verify(folder: Path) -> list[Difference]:
        """What differs between a folder and its manifest, sorted by name; empty when nothing.

        Raises: RepairStore when there is no manifest or it is damaged.
        """
        then, now = Manifest.read(folder).files, Manifest.of(folder).files
        found = []
        for name in sorted(then.keys() | now.keys()):
            if name not in now:
                found.append(Difference(name, "missing"))
            elif name not in then:
                found.append(Difference(name, "added"))
            elif then[name] != now[name]:
                found.append(Difference(name, "changed"))
        return found
