"""A file of texts without any label, and classes that are only described."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from luthier.core.errors import FixData
from luthier.core.hashing import hash_value
from luthier.core.types import Finding, Level, Task
from luthier.data.audit import DataReport
from luthier.data.feed.labels import HeadFacts, LabelSet
from luthier.data.glance import glance
from luthier.data.mapping import Mapping, Refusals, canonical_rows, recognise
from luthier.data.mappings.names import LABEL, plain
from luthier.data.source import Source, fingerprint, open_source
from luthier.data.split import SealedTest, Splits
from luthier.data.table import Table
from luthier.recipe.recipe import Recipe
from luthier.stages.prepare import Prepared

NO_ROWS = np.zeros(0, np.int64)


def without_labels(recipe: Recipe, base_folder: Path) -> bool:
    """Whether the training file has no column of labels, while the recipe describes classes."""
    section = recipe.fewshot
    if section.enabled == "off" or not section.descriptions:
        return False
    if recipe.task not in ("auto", Task.CLASSIFY):
        return False
    if recipe.data.columns.label is not None:
        return False
    sample = glance(_open(recipe, recipe.data.train, base_folder))
    # A column that is called a label is one, even where the labels in it look odd.
    columns = dict.fromkeys(name for row in sample for name in row)
    return bool(sample) and not any(plain(name) in LABEL for name in columns)


def prepare_unlabelled(recipe: Recipe, base_folder: Path, folder: Path) -> Prepared:
    """The labelled rows of `data.test`, if any, as the sealed test part; nothing to learn from.

    The texts of `data.train` are the pool: they are read once a rung is chosen.

    Raises: FixData for a test file whose labels are not among the described classes, or a training
    file without text.
    """
    names = tuple(sorted(recipe.fewshot.descriptions))
    mapping = text_mapping(_open(recipe, recipe.data.train, base_folder), recipe)
    texts = sum(1 for _ in canonical_rows(_open(recipe, recipe.data.train, base_folder), mapping,
                                          Refusals()))  # fmt: skip
    table, label = _tested(recipe, base_folder, folder)
    test = np.arange(len(table), dtype=np.int64)
    strange = sorted({str(y) for y in table.column("label")} - set(names)) if len(table) else []
    if strange:
        raise FixData(
            str(recipe.data.test),
            f"{strange[0]!r} is not among the classes of fewshot.descriptions",
            f"they are {', '.join(names)}",
            "describe it, or remove its rows",
        )
    message = f"{texts} texts have no label; {len(names)} classes are told by their descriptions"
    findings = [Finding("no-labels", Level.INFO, message, texts)]
    if not len(table):
        note = "there is no labelled row, so nothing can be measured; give some as data.test"
        findings.append(Finding("not-measured", Level.WARNING, note))
    rows = {"total": len(table), "refused": 0, "kept": len(table), "train": 0, "validation": 0}
    places = [p for p in (recipe.data.train, recipe.data.test) if p is not None]
    return Prepared(
        task=Task.CLASSIFY,
        table=table,
        splits=Splits(NO_ROWS, NO_ROWS, test),
        sealed=SealedTest(test),
        report=DataReport(rows | {"test": len(test)}, tuple(findings), {}, {}),
        facts=HeadFacts(LabelSet(names)),
        mapping=Mapping(Task.CLASSIFY, text=mapping.text, label=label),
        fingerprint=hash_value([fingerprint(place, base_folder) for place in places]),
        notes=(),
        own_test=recipe.data.test is not None,
    )


def text_mapping(source: Source, recipe: Recipe) -> Mapping:
    """Which columns hold the text of rows without labels.

    Raises: FixData when there are no rows, or no text.
    """
    sample = glance(source)
    if not sample:
        raise FixData(source.place, "there are no rows")
    given = {k: v for k, v in recipe.data.columns.given().items() if k in ("text", "group")}
    return recognise(sample, Task.ADAPT, given)[0]


def _tested(recipe: Recipe, base_folder: Path, folder: Path) -> tuple[Table, str]:
    """The labelled rows of the test file and their label column; no rows without a file."""
    if recipe.data.test is None:
        return Table.empty(Task.CLASSIFY), "label"
    source = _open(recipe, recipe.data.test, base_folder)
    sample = glance(source)
    if not sample:
        raise FixData(source.place, "there are no rows")
    mapping, _ = recognise(sample, Task.CLASSIFY, recipe.data.columns.given())
    table = Table.write(canonical_rows(source, mapping), folder / "rows.arrow", Task.CLASSIFY)
    return table, mapping.column("label")


def _open(recipe: Recipe, place: str, base_folder: Path) -> Source:
    return open_source(place, base_folder, recipe.data.format, None, recipe.data.encoding)
