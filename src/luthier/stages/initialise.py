"""A first recipe from a look at a data file."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Mapping as Values
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from luthier.core.errors import FixData, FixRecipe
from luthier.core.files import write_text
from luthier.core.types import Task
from luthier.data.glance import REACH, glance
from luthier.data.mapping import Mapping, recognise
from luthier.data.mappings.names import KNOWN, LABEL, plain
from luthier.data.source import open_source, split_names
from luthier.evaluate.baseline import humanise
from luthier.recipe.data import Columns
from luthier.recipe.fewshot import FEW
from luthier.recipe.load import parse_yaml, recipe_from_dict

_SPLIT_FILES = {"validation": ("validation", "valid", "val", "dev"), "test": ("test",)}
_DULL = {"train", "training", "data", "dataset", "rows", "all"}

_HINTS = """\
# Everything else has a default; `luthier plan {file} --full` shows all of it. For example:
# model:
#   id: auto            # a hub id, a folder, embedded:encoder or embedded:causal
# adapter:
#   rank: 16
# train:
#   epochs: 3
#   learning_rate: 1e-4
"""

_FEW_HINTS = """\
# Labels are few: the run takes the few-shot ladder by itself. What makes it better:
# fewshot:
#   pool: texts.jsonl   # texts without labels; the report then shows which to label next
#   descriptions:       # one sentence for each class counts as two labelled rows of it
"""
_NO_LABELS = """\
# Without labels the classes are known by these words: say in a sentence what each one means.
# A file of labelled rows named as data.test measures how good that is.
"""


@dataclass(frozen=True)
class Look:
    """What a first look at a data file found.

    `location` is what `data.train` would name, `beside` are files for validation and test that
    lie next to it, `columns` all columns, `sentences` what was seen and why, `given` the columns
    that were not guessed, `few` the classes where labelled rows are few, `classes` those that were
    named for texts without labels.
    """

    location: str
    mapping: Mapping
    columns: tuple[str, ...]
    sentences: tuple[str, ...]
    beside: Values[str, Path] = field(default_factory=dict)
    given: Values[str, str] = field(default_factory=dict)
    few: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()


def columns_of(data: str, base: Path | None = None) -> tuple[str, ...]:
    """The columns of a data file, in order.

    Raises: FixData when there are no rows.
    """
    return tuple(dict.fromkeys(name for row in _sample(data, base) for name in row))


def look(
    data: str,
    base: Path | None = None,
    task: Task | None = None,
    given: Values[str, str] | None = None,
) -> Look:
    """What the first rows of `data` hold; `task` and the `given` columns are taken as they are.

    Raises: FixData when nothing is there, or when the columns leave more than one reading.
    """
    sample = _sample(data, base)
    mapping, sentences = recognise(sample, task, dict(given or {}))
    columns = tuple(dict.fromkeys(name for row in sample for name in row))
    beside = _beside(data, base)
    told = [f"{path.name} lies beside it and is used for {part}." for part, path in beside.items()]
    parts = split_names(data, base)
    if parts:
        told.append(f"The folder brings its own parts: {', '.join(parts)}.")
    few = _few(data, base, mapping)
    if few:
        told.append("Labels are few: the run takes the few-shot ladder.")
    if mapping.task is Task.ADAPT and task is None:
        told.append("For a classifier without labels name its classes: --classes one,other.")
    return Look(data, mapping, columns, (*sentences, *told), beside, dict(given or {}), few)


def look_for_classes(data: str, classes: tuple[str, ...], base: Path | None = None) -> Look:
    """A look at texts without labels that are to be told apart as `classes`.

    Raises: FixRecipe for fewer than two classes; FixData when there is no text, or a label column.
    """
    if len(set(classes)) < 2:
        raise FixRecipe("--classes", f"{len(set(classes))} named", "at least two, as one,other")
    found = look(data, base, Task.ADAPT)
    named = next((name for name in found.columns if plain(name) in LABEL), None)
    if named is not None:
        raise FixData(
            data, f"there is a column of labels, {named!r}", "texts without labels for --classes",
            "leave --classes out: the classes are those of the labels",
        )  # fmt: skip
    from luthier.stages.fewshot.settling import says

    count = len(set(classes))
    said = [f"No labels: {count} classes are told apart by their names and descriptions."]
    if mute := [name for name in dict.fromkeys(classes) if not says(name)]:
        said.append(f"Their names are no words, so a sentence is needed for: {', '.join(mute)}.")
    kept = tuple(s for s in found.sentences if not s.startswith("Task "))
    return replace(found, classes=tuple(dict.fromkeys(classes)), sentences=(*said, *kept))


def _few(data: str, base: Path | None, mapping: Mapping) -> tuple[str, ...]:
    """The classes in order, where labelled rows are few; else none."""
    if mapping.task is not Task.CLASSIFY or mapping.label is None:
        return ()
    rows = islice(open_source(data, base).rows(), REACH)
    labels = [row.get(mapping.label) for _, row in rows]
    counts = Counter(str(label) for label in labels if label is not None)
    return tuple(sorted(counts)) if counts and median(counts.values()) < FEW else ()


def draft(found: Look, out: Path, base: Path | None = None) -> str:
    """The text of a short recipe that stands at `out`; paths in it start at its folder.

    Columns are written down where they were given, or their names are not the usual ones.

    Raises: FixRecipe should the drafted recipe not be valid, which is a fault of this function.
    """
    data = {"train": _relative(found.location, out, base)}
    data |= {part: _relative(str(path), out, None) for part, path in found.beside.items()}
    lines = [
        "# How to fine-tune a model on these rows; paths start at this file's folder.",
        f"name: {scalar(_name(found.location))}",
        f"task: {(Task.CLASSIFY if found.classes else found.mapping.task).value}",
        "data:",
        *(f"  {key}: {scalar(value)}" for key, value in data.items()),
    ]
    columns = _unusual(found.mapping) | dict(found.given)
    if columns:
        lines.append("  columns:")
        lines += [f"    {key}: {_column(value)}" for key, value in columns.items()]
    text = "\n".join(lines) + "\n" + _hints(found, out)
    recipe_from_dict(parse_yaml(text, str(out)), str(out))
    return text


def _hints(found: Look, out: Path) -> str:
    """What else may be said in the recipe."""
    if found.classes:
        told = [f"    {scalar(name)}: {scalar(humanise(name))}" for name in found.classes]
        return "\n".join(["fewshot:", "  descriptions:", *told, "", _NO_LABELS])
    if found.few:
        told = [f"#     {scalar(name)}: {scalar(humanise(name))}" for name in found.few]
        return "\n" + _FEW_HINTS + "\n".join(told) + "\n"
    return "\n" + _HINTS.format(file=out.name)


def write_recipe(text: str, out: Path, force: bool = False) -> None:
    """Writes the recipe whole or not at all.

    Raises: FixRecipe when `out` exists and `force` is off, FreeDisk when it can't be written.
    """
    refuse_existing(out, force)
    write_text(out, text)


def refuse_existing(out: Path, force: bool) -> None:
    """Nothing, when `out` may be written.

    Raises: FixRecipe when it exists and `force` is off.
    """
    if out.exists() and not force:
        raise FixRecipe(
            str(out), "the file exists already", advice="name another with --out, or add --force"
        )


def scalar(value: str) -> str:
    """A text as one YAML value, quoted only where it must be."""
    try:
        if YAML(typ="safe", pure=True).load(f"key: {value}\n") == {"key": value}:
            return value
    except YAMLError:
        pass
    return '"' + "".join(_escaped(letter) for letter in value) + '"'


def _escaped(letter: str) -> str:
    if letter in '"\\':
        return "\\" + letter
    if letter.isprintable():
        return letter
    return f"\\U{ord(letter):08x}"


def _sample(data: str, base: Path | None) -> list[dict[str, Any]]:
    source = open_source(data, base)
    sample = glance(source)
    if not sample:
        raise FixData(source.place, "there are no rows", advice="give a file with rows")
    return sample


def _relative(location: str, out: Path, base: Path | None) -> str:
    path = (base or Path()) / Path(location).expanduser()
    if location.startswith("starter:") or not path.exists():
        return location
    here, there = path.resolve(), out.resolve().parent
    return Path(os.path.relpath(here, there)).as_posix()


def _beside(data: str, base: Path | None) -> dict[str, Path]:
    path = (base or Path()) / Path(data).expanduser()
    if not path.is_file() or path.stem.lower() not in ("train", "training"):
        return {}
    found = {}
    for part, names in _SPLIT_FILES.items():
        present = [path.with_name(name + path.suffix) for name in names]
        present = [file for file in present if file.is_file()]
        if present:
            found[part] = present[0]
    return found


def _name(location: str) -> str:
    path = Path(location.partition(":")[2] if location.startswith("starter:") else location)
    stem = path.stem
    if stem.lower() in _DULL and path.resolve().parent.name:
        stem = path.resolve().parent.name
    return re.sub(r"[^\w .-]+", "-", stem).strip(" .-")[:64] or "run"


def _unusual(mapping: Mapping) -> dict[str, str | tuple[str, ...]]:
    """The columns a later look might read otherwise, since their names do not tell."""
    columns: dict[str, str | tuple[str, ...]] = {}
    for key in Columns.model_fields:
        value = getattr(mapping, key)
        names = value if isinstance(value, tuple) else (value,) if value else ()
        if names and any(plain(name) not in KNOWN for name in names):
            columns[key] = names[0] if len(names) == 1 else names
    return columns


def _column(value: str | tuple[str, ...]) -> str:
    if isinstance(value, str):
        return scalar(value)
    return "[" + ", ".join('"' + "".join(map(_escaped, name)) + '"' for name in value) + "]"
