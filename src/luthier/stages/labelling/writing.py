"""Labels as a file that a recipe may name as its data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from luthier.core.errors import FixData
from luthier.core.files import write_text
from luthier.data.source import open_source
from luthier.fewshot.asking.sheet import Given
from luthier.stages.labelling.judges import SOURCE as SOURCE
from luthier.stages.labelling.pool import Pool
from luthier.stages.labelling.setting import Setting

QUOTA = "label_quota"


def write_labels(path: Path, pool: Pool, given: Mapping[str, Given], column: str) -> None:
    """One JSON line for each label: the pool's row with the label in `column`, who gave it
    (`label_source`) and why the row was asked (`label_quota`). The file is replaced as a whole.

    Raises: FreeDisk.
    """
    lines = [json.dumps(line, ensure_ascii=False) for line in lines_of(pool, given, column)]
    write_text(path, "".join(line + "\n" for line in lines))


def write_together(path: Path, setting: Setting, pool: Pool, given: Mapping[str, Given]) -> int:
    """One file of the rows of `data.train` as they stand and, after them, the labelled rows of
    the pool; how many rows of `data.train` there are. The file is replaced as a whole.

    Raises: FixData where columns of the pool can't take the names of those of `data.train`.
    """
    data, columns = setting.recipe.data, setting.mapping
    source = open_source(data.train, setting.folder, data.format, None, data.encoding)
    before = [row for _, row in source.rows()]
    mine = lines_of(pool, given, columns.label or "label")
    if mine and not columns.asks(mine[0]):
        if len(columns.text) != 1:
            raise FixData(
                pool.place, "its text stands in one column", f"{', '.join(columns.text)}",
                "give the pool the columns of the training rows",
            )  # fmt: skip
        mine = [{columns.text[0]: row.pop("text")} | row for row in mine]
    lines = [json.dumps(row, ensure_ascii=False, default=str) for row in (*before, *mine)]
    write_text(path, "".join(line + "\n" for line in lines))
    return len(before)


def lines_of(pool: Pool, given: Mapping[str, Given], column: str) -> list[dict[str, Any]]:
    """The rows of a labels file."""
    return [
        pool.rows[key][1] | {column: g.label, SOURCE: g.source, QUOTA: g.quota}
        for key, g in given.items()
    ]


def journal_of(out: Path) -> Path:
    """Where the answers behind a labels file are kept."""
    return out.with_name(out.name + ".journal")


def refuse_together(path: Path, out: Path) -> None:
    """Raises: FixData for a joined file in the place of one that `write_together` did not write."""
    lines = path.read_text("utf-8", "replace").splitlines() if path.is_file() else []
    foreign = path.exists() and (not lines or f'"{QUOTA}"' not in lines[-1])
    if foreign or path.resolve() in (out.resolve(), journal_of(out).resolve()):
        raise FixData(str(path), "the file exists and --together did not write it", "a new name")


def refuse_foreign(out: Path) -> None:
    """Raises: FixData for a file that labelling did not write."""
    if out.exists() and not journal_of(out).exists():
        raise FixData(
            str(out),
            "the file exists and labelling did not write it",
            "a new name, or a file with its journal beside it",
            f"take its labels over with --import {out} and another --out",
        )
