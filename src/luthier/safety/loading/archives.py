"""Archives opened within bounds: no path that climbs out, no bomb, no link, no device."""

from __future__ import annotations

import stat
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO

from luthier.core.errors import FixModel
from luthier.core.files import new_folder

_BLOCK = 1 << 20


@dataclass(frozen=True)
class Bounds:
    """What an archive may hold at most; `ratio` is bytes out per byte of the archive."""

    files: int = 10_000
    bytes: int = 64 << 30
    ratio: float = 200.0


@dataclass(frozen=True)
class _Entry:
    name: str
    size: int
    plain: bool
    source: zipfile.ZipInfo | tarfile.TarInfo


def unpack(archive: Path, out: Path, bounds: Bounds | None = None) -> Path:
    """The files of a zip or tar archive in the new folder `out`, which appears whole or not at all.

    What the archive says of its sizes is checked first, and what really comes out is counted too.

    Raises: FixModel for an archive that is damaged, too large, or tries to write elsewhere.
    """
    if out.exists():
        raise FixModel(str(out), "it is there already", "a folder that does not exist yet")
    limits = bounds or Bounds()
    try:
        with new_folder(out) as place:
            if zipfile.is_zipfile(archive):
                with zipfile.ZipFile(archive) as opened:
                    entries = [_of_zip(info) for info in opened.infolist()]
                    _write(archive, entries, lambda e: opened.open(e.source), place, limits)  # type: ignore[arg-type]
            elif tarfile.is_tarfile(archive):
                with tarfile.open(archive) as tar:
                    found = [_of_tar(member) for member in _bounded(archive, tar, limits)]
                    _write(archive, found, lambda e: tar.extractfile(e.source), place, limits)  # type: ignore[arg-type]
            else:
                raise FixModel(str(archive), "this is no archive", "a zip or tar file")
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, RuntimeError) as error:
        raise FixModel(str(archive), "the archive is damaged", advice="copy it again") from error
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise FixModel(str(archive), "a file and a folder in it have one name") from error
    return out


def _bounded(archive: Path, tar: tarfile.TarFile, limits: Bounds) -> Iterator[tarfile.TarInfo]:
    for count, member in enumerate(tar, start=1):
        if count > limits.files:
            raise _too_much(archive, f"more than {limits.files} entries")
        yield member


def _of_zip(info: zipfile.ZipInfo) -> _Entry:
    kind = stat.S_IFMT(info.external_attr >> 16)
    plain = info.is_dir() or kind in (0, stat.S_IFREG)
    return _Entry(info.filename, info.file_size, plain, info)


def _of_tar(member: tarfile.TarInfo) -> _Entry:
    return _Entry(
        member.name + ("/" if member.isdir() else ""),
        member.size,
        member.isfile() or member.isdir(),
        member,
    )


def _write(archive: Path, entries: list[_Entry], read, place: Path, limits: Bounds) -> None:  # type: ignore[no-untyped-def]
    most = min(limits.bytes, int(limits.ratio * archive.stat().st_size))
    if len(entries) > limits.files:
        raise _too_much(archive, f"{len(entries)} entries")
    if sum(entry.size for entry in entries) > most:
        raise _too_much(archive, f"{sum(entry.size for entry in entries):,} bytes")
    written = 0
    for entry in entries:
        target = _inside(archive, entry, place)
        if entry.name.endswith("/"):
            target.mkdir(parents=True, exist_ok=True)
            continue
        if target.exists():
            raise FixModel(str(archive), f"it holds {entry.name!r} twice")
        target.parent.mkdir(parents=True, exist_ok=True)
        stream: IO[bytes] = read(entry)
        with stream, target.open("wb") as file:
            while block := stream.read(_BLOCK):
                written += len(block)
                if written > most:
                    raise _too_much(archive, "more bytes than it says")
                file.write(block)


def _inside(archive: Path, entry: _Entry, place: Path) -> Path:
    parts = PurePosixPath(entry.name).parts
    windows = PureWindowsPath(entry.name)
    climbs = ".." in parts or ".." in windows.parts or entry.name.startswith("/") or windows.drive
    if climbs or set("\0\\") & set(entry.name) or not parts:
        raise FixModel(
            str(archive), f"the entry {entry.name!r} would be written outside of its folder",
            "names within the archive",
        )  # fmt: skip
    if not entry.plain:
        raise FixModel(
            str(archive), f"the entry {entry.name!r} is a link or a device", "plain files"
        )
    return place.joinpath(*parts)


def _too_much(archive: Path, what: str) -> FixModel:
    return FixModel(
        str(archive), f"it would unpack to {what}, as bombs do", advice="unpack it by hand"
    )
