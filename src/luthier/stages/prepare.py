"""From the files a recipe names to a checked table, its splits and a data report."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from luthier.core.errors import FixData, FixRecipe
from luthier.core.hashing import hash_value
from luthier.core.progress import Progress
from luthier.core.types import FIELDS, Level, Task
from luthier.data.audit import DataReport, audit
from luthier.data.feed.labels import HeadFacts, LabelSet
from luthier.data.glance import glance
from luthier.data.mapping import Mapping, Refusals, canonical_rows, recognise
from luthier.data.source import Source, fingerprint, open_source, pin
from luthier.data.split import SealedTest, Splits, make_splits
from luthier.data.table import Table
from luthier.recipe.data import Data
from luthier.recipe.recipe import Recipe
from luthier.stages.labelling.judges import Watched
from luthier.stages.safety.filtering.prepared import DataFilter

REFUSED_SHARE = 0.1
"""With more rows than this that do not fit, the file is taken to be wrong, not the rows."""


@dataclass(frozen=True)
class Prepared:
    """Everything later stages need to know of the data."""

    task: Task
    table: Table
    splits: Splits
    sealed: SealedTest
    report: DataReport
    facts: HeadFacts
    mapping: Mapping
    fingerprint: str
    notes: tuple[str, ...]
    filters: dict[str, Any] | None = None
    taught: frozenset[int] = frozenset()
    """Table rows that rules or a model labelled: they may teach, and never measure."""
    own_test: bool = False
    """Whether the test rows came from a file of their own."""


@dataclass(frozen=True)
class Files:
    """The three places rows may come from; None where a part is taken from `train`."""

    train: str
    validation: str | None
    test: str | None


def prepare(recipe: Recipe, base_folder: Path, folder: Path, progress: Progress) -> Prepared:
    """Reads, maps, divides and audits the data; writes `rows.arrow` into `folder`.

    Raises: FixData for faults of the files; the same files and recipe give the same result.
    """
    from luthier.stages.fewshot.unlabelled import prepare_unlabelled, without_labels

    if without_labels(recipe, base_folder):
        return prepare_unlabelled(recipe, base_folder, folder)
    files, notes = files_of(recipe.data, base_folder)
    files = _pinned(files, recipe.data.format, base_folder)
    progress.start("reading the data", None, "rows")
    mapping, seen = _recognise(recipe, files, base_folder)
    filters = DataFilter(recipe)
    reading = _read(recipe, files, base_folder, mapping, folder, progress, filters)
    table, counts, refusals, taught = reading
    splits = _divide(table, counts, files, recipe)
    declared = () if recipe.fewshot.enabled == "off" else recipe.fewshot.descriptions
    report = filters.added(audit(table, splits, refusals, declared))
    _refuse(report, recipe)
    prints = {
        part: fingerprint(place, base_folder)
        for part, place in vars(files).items()
        if place is not None
    }
    return Prepared(
        task=mapping.task,
        table=table,
        splits=splits,
        sealed=SealedTest(splits.test),
        report=report,
        facts=_facts(table, splits, mapping.task),
        mapping=mapping,
        fingerprint=hash_value(prints),
        notes=(*notes, *seen),
        filters=filters.as_dict(),
        taught=taught,
        own_test=files.test is not None,
    )


def files_of(data: Data, base_folder: Path) -> tuple[Files, list[str]]:
    """The three places, with what lies beside `train` in its folder, and what was noticed."""
    files = Files(data.train, data.validation, data.test)
    folder = base_folder / data.train
    if not folder.is_dir():
        return files, []
    notes = []
    for part, names in (("validation", ("validation", "valid", "dev", "val")), ("test", ("test",))):
        if getattr(files, part) is None and (found := _beside(folder, names)):
            files = replace(files, **{part: str(found)})
            notes.append(f"{found.name} in the folder is used as the {part} part")
    if train := _beside(folder, ("train",)):
        files = replace(files, train=str(train))
    return files, notes


def _pinned(files: Files, format: str, base_folder: Path) -> Files:
    """The same files; data sets of the hub at one commit, however often they are opened."""
    given = {part: place for part, place in vars(files).items() if place is not None}
    return replace(files, **{p: pin(place, base_folder, format) for p, place in given.items()})


def _beside(folder: Path, names: tuple[str, ...]) -> Path | None:
    for name in names:
        for suffix in (".jsonl", ".json", ".csv", ".tsv", ".parquet"):
            if (path := folder / f"{name}{suffix}").is_file():
                return path.resolve()
    return None


def _open(recipe: Recipe, place: str, base_folder: Path, part: str) -> Source:
    data = recipe.data
    split = part if "/" in place and not (base_folder / place).exists() else None
    return open_source(place, base_folder, data.format, split, data.encoding)


def _recognise(recipe: Recipe, files: Files, base_folder: Path) -> tuple[Mapping, list[str]]:
    source = _open(recipe, files.train, base_folder, "train")
    sample = glance(source)
    if not sample:
        raise FixData(source.place, "there are no rows")
    task = None if recipe.task == "auto" else recipe.task
    return recognise(sample, task, recipe.data.columns.given())


def _judged(recipe: Recipe, files: Files, part: str) -> list[str]:
    """The parts that measure and are taken from the file of `part`."""
    if part != "train":
        return [part]
    split = recipe.data.split
    shares = {"validation": split.validation, "test": split.test}
    return [name for name, share in shares.items() if share > 0 and getattr(files, name) is None]


def _read(
    recipe: Recipe,
    files: Files,
    base_folder: Path,
    mapping: Mapping,
    folder: Path,
    progress: Progress,
    filters: DataFilter,
) -> tuple[Table, dict[str, int], Refusals, frozenset[int]]:
    counts: dict[str, int] = {}
    refusals = Refusals()
    taught: set[int] = set()

    def rows() -> Iterator[tuple[int, dict[str, Any]]]:
        for part, place in vars(files).items():
            if place is None:
                continue
            source = Watched(_open(recipe, place, base_folder, part))
            counts[part] = 0
            found = filters.pass_on(canonical_rows(source, mapping, refusals))
            for number, row in itertools.islice(found, recipe.data.max_rows):
                if number in source.weak:
                    taught.add(sum(counts.values()))
                counts[part] += 1
                progress.advance(1)
                yield number, row
            for name in _judged(recipe, files, part):
                source.refuse(name)

    table = Table.write(rows(), folder / "rows.arrow", mapping.task)
    if refusals.count > REFUSED_SHARE * (len(table) + refusals.count):
        raise refusals.first[0]
    return table, counts, refusals, frozenset(taught)


def _divide(table: Table, counts: dict[str, int], files: Files, recipe: Recipe) -> Splits:
    split = recipe.data.split
    own = make_splits(
        table.slice(0, counts["train"]),
        0.0 if files.validation else split.validation,
        0.0 if files.test else split.test,
        split.seed,
    )
    after_train = counts["train"]
    after_validation = after_train + counts.get("validation", 0)
    validation = np.arange(after_train, after_validation) if files.validation else own.validation
    test = np.arange(after_validation, len(table)) if files.test else own.test
    return Splits(own.train, validation.astype(np.int64), test.astype(np.int64))


def _refuse(report: DataReport, recipe: Recipe) -> None:
    for finding in report.findings:
        leak = finding.code.startswith("leak")
        if finding.level is Level.ERROR and not (leak and recipe.data.allow_leakage):
            rows = f", rows {finding.where(5)}" if finding.rows else ""
            advice = "set data.allow_leakage: true to go on anyway" if leak else ""
            raise FixData(f"{recipe.data.train}{rows}", finding.message, advice=advice)


def _facts(table: Table, splits: Splits, task: Task) -> HeadFacts:
    if task is Task.REGRESS:
        values = np.asarray([row["label"] for row in table.take(splits.train)], np.float64)
        deviation = float(values.std())
        if deviation == 0:
            raise FixData("the label column", "every training row has the same value")
        return HeadFacts(LabelSet(()), float(values.mean()), deviation)
    if not FIELDS[task][-1].startswith(("label", "span")):
        return HeadFacts(LabelSet(()))
    # A class that only held-out rows have is a class too: its rows count, whoever answers them.
    every = np.concatenate([splits.train, splits.validation, splits.test])
    labels = LabelSet.collect(task, table.take(every if task is Task.CLASSIFY else splits.train))
    if not labels.names:
        raise FixRecipe("task", f"{task.value} needs labels and the rows have none")
    return HeadFacts(labels)


def save_facts(facts: HeadFacts, file: Path) -> None:
    """Writes what a head must know of the data."""
    about = {
        "labels": list(facts.labels.names),
        "mean": facts.mean,
        "deviation": facts.deviation,
        "masked": facts.masked,
    }
    file.write_text(json.dumps(about, ensure_ascii=False), encoding="utf-8")


def load_facts(file: Path) -> HeadFacts:
    """What `save_facts` wrote."""
    about = json.loads(file.read_text(encoding="utf-8"))
    labels = LabelSet(tuple(about["labels"]))
    return HeadFacts(labels, about["mean"], about["deviation"], about.get("masked", False))
