"""Where the rows of a data set lie: which files, of which format."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from luthier.core.errors import FixData, FixRecipe, nearest
from luthier.data.starter import STARTERS, starter_path


class Format(StrEnum):
    """How rows are written down."""

    CSV = "csv"
    TSV = "tsv"
    JSON = "json"
    JSONL = "jsonl"
    PARQUET = "parquet"
    ARROW = "arrow"
    TEXT = "text"
    FOLDER = "folder"
    HUB = "hub"


SUFFIXES = {
    ".csv": Format.CSV,
    ".tsv": Format.TSV,
    ".tab": Format.TSV,
    ".json": Format.JSON,
    ".jsonl": Format.JSONL,
    ".ndjson": Format.JSONL,
    ".parquet": Format.PARQUET,
    ".arrow": Format.ARROW,
    ".feather": Format.ARROW,
    ".txt": Format.TEXT,
    ".md": Format.TEXT,
}
SPLITS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test",),
}
_HUB = re.compile(r"[\w.-]+/[\w.-]+(@[\w./-]+)?(:[\w.-]+)?")


@dataclass(frozen=True)
class Location:
    """Files of one format, in reading order; `place` is their name in messages."""

    place: str
    format: Format
    paths: tuple[Path, ...]
    hub: str = ""
    split: str | None = None


def locate(
    location: str, base: Path | None = None, format: str = "auto", split: str | None = None
) -> Location:
    """The files behind a location of the recipe.

    Raises: FixData when nothing is there or a split is missing, FixRecipe for a bad format.
    """
    if location.startswith("starter:"):
        path = starter_path(location.removeprefix("starter:"))
        return Location(path.name, Format.CSV, (path,))
    wanted = _format(format)
    path = _path(location, base)
    if path.is_dir():
        return _folder(path, wanted, split)
    if path.is_file():
        # As it was given, so that files of one name in two folders are told apart.
        shown = Path(location) if location[0] not in "/~" else Path(path.name)
        return replace(_file(path, wanted, split), place=shown.as_posix())
    if is_hub(location, base, format):
        return Location(location, Format.HUB, (), location, split)
    raise _missing(location, path)


def is_hub(location: str, base: Path | None = None, format: str = "auto") -> bool:
    """Whether a location means a data set of the hub: there is no such file, nor its folder."""
    path = _path(location, base)
    if path.exists() or location.startswith("starter:"):
        return False
    known = suffix_format(Path(re.split("[@:]", location)[0])) is not None
    spelt = bool(_HUB.fullmatch(location)) and not known and not path.parent.exists()
    return format == Format.HUB or (format == "auto" and spelt)


def split_names(location: str, base: Path | None = None) -> tuple[str, ...]:
    """The splits a data folder comes with, in the order train, validation, test; else ()."""
    path = _path(location, base)
    return tuple(_splits(path)) if path.is_dir() else ()


def _format(name: str) -> Format | None:
    if name == "auto":
        return None
    if name not in set(Format):
        near = nearest(name, [member.value for member in Format])
        raise FixRecipe(
            "data.format",
            f"{name!r} is not a format",
            f"Allowed: auto, {', '.join(Format)}",
            f"Did you mean {near!r}?" if near else "",
        )
    return Format(name)


def suffix_format(path: Path) -> Format | None:
    """The format a file name promises, `.gz` left aside."""
    suffixes = [s.lower() for s in path.suffixes]
    if suffixes and suffixes[-1] == ".gz":
        suffixes.pop()
    return SUFFIXES.get(suffixes[-1]) if suffixes else None


def _file(path: Path, wanted: Format | None, split: str | None) -> Location:
    if split is not None:
        raise FixData(
            path.name,
            f"a single file has no split {split!r}",
            advice="give the folder that holds train, validation and test files",
        )
    found = wanted or suffix_format(path)
    if found is None:
        raise FixData(
            path.name,
            f"the ending {path.suffix!r} says no format",
            f"Known endings: {', '.join(SUFFIXES)}, also with .gz",
            "set data.format",
        )
    if path.stat().st_size == 0:
        raise FixData(path.name, "the file is empty", advice="give a file with rows")
    return Location(path.name, found, (path,))


def _folder(path: Path, wanted: Format | None, split: str | None) -> Location:
    splits = _splits(path)
    if splits and wanted not in (Format.FOLDER, Format.TEXT):
        name = split or ("train" if "train" in splits else next(iter(splits)))
        if name not in splits:
            near = nearest(name, splits)
            raise FixData(
                path.name,
                f"there is no split {name!r}",
                f"Splits here: {', '.join(splits)}",
                f"Did you mean {near!r}?" if near else "",
            )
        return _shards(path, splits[name], name)
    if split is not None:
        raise FixData(
            path.name,
            f"there is no split {split!r}",
            "A folder with splits holds files named train, validation or test",
        )
    return _unsplit(path)


def _unsplit(path: Path) -> Location:
    arrow = _saved(path)
    if arrow:
        return _shards(path, arrow, None)
    texts = sorted(p for p in path.rglob("*") if p.suffix.lower() in (".txt", ".md"))
    if texts:
        return Location(path.name, Format.FOLDER, (path, *texts))
    data = sorted(p for p in path.iterdir() if p.is_file() and suffix_format(p))
    if not data:
        raise FixData(
            path.name,
            "the folder holds no data files",
            f"Allowed: text files (.txt, .md) or files ending in {', '.join(SUFFIXES)}",
        )
    if len({suffix_format(p) for p in data}) > 1 or len(data) > 1:
        names = ", ".join(p.name for p in data[:8])
        raise FixData(
            path.name,
            f"the folder holds {len(data)} data files and none is named train: {names}",
            advice="give one file, or rename the parts to train, validation and test",
        )
    return _file(data[0], None, None)


def _shards(folder: Path, paths: list[Path], split: str | None) -> Location:
    one = paths[0]
    place = f"{folder.name}/{one.name}" if len(paths) == 1 else f"{folder.name}/{split or ''}"
    for path in paths:
        if path.stat().st_size == 0:
            raise FixData(f"{folder.name}/{path.name}", "the file is empty")
    return Location(place, suffix_format(one) or Format.JSONL, tuple(paths), split=split)


def _splits(path: Path) -> dict[str, list[Path]]:
    if (path / "dataset_dict.json").is_file():
        names = json.loads((path / "dataset_dict.json").read_text("utf-8")).get("splits", [])
        return _ordered({str(n): _saved(path / str(n)) for n in names})
    found: dict[str, list[Path]] = {}
    folders = [path, path / "data"] if (path / "data").is_dir() else [path]
    files = sorted(p for f in folders for p in f.iterdir() if p.is_file() and suffix_format(p))
    for file in files:
        name = split_of(file.name)
        if name and suffix_format(file) is not Format.TEXT:
            found.setdefault(name, []).append(file)
    return _ordered({name: _one_format(name, files) for name, files in found.items()})


def _one_format(split: str, files: list[Path]) -> list[Path]:
    if len({suffix_format(f) for f in files}) > 1:
        raise FixData(
            files[0].parent.name,
            f"the split {split!r} comes in several formats: {', '.join(f.name for f in files)}",
            advice="keep one of them",
        )
    return files


def _ordered(found: dict[str, list[Path]]) -> dict[str, list[Path]]:
    order = [*(n for n in SPLITS if n in found), *(n for n in found if n not in SPLITS)]
    return {name: found[name] for name in order if found[name]}


def _saved(path: Path) -> list[Path]:
    """The Arrow files of a data set saved by `datasets`, in order."""
    state = path / "state.json"
    if state.is_file():
        names = json.loads(state.read_text("utf-8")).get("_data_files", [])
        return [path / str(entry["filename"]) for entry in names]
    return []


def split_of(name: str) -> str | None:
    """The split a file name speaks of, such as `train-00000-of-00002.parquet`."""
    for split, words in SPLITS.items():
        if any(re.match(rf"{word}(?:[-_]\d[\w-]*)?\.", name.lower()) for word in words):
            return split
    return None


def _path(location: str, base: Path | None) -> Path:
    path = Path(location).expanduser()
    return base / path if base is not None and not path.is_absolute() else path


def _missing(location: str, path: Path) -> FixData:
    if not path.parent.is_dir():
        return FixData(location, "the file is missing and so is its folder", advice="fix the path")
    near = nearest(path.name, _names(path.parent.iterdir()))
    starters = ", ".join(f"starter:{name}" for name in STARTERS)
    return FixData(
        location,
        "the file is missing",
        advice=f"Did you mean {near!r}?" if near else f"Built-in data: {starters}",
    )


def _names(paths: Iterable[Path]) -> list[str]:
    return [path.name for path in paths if not path.name.startswith(".")]
