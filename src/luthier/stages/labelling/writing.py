"""Labels as a file that a recipe may name as its data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from luthier.core.errors import FixData
from luthier.core.files import write_text
from luthier.fewshot.asking.sheet import Given
from luthier.stages.labelling.judges import SOURCE as SOURCE
from luthier.stages.labelling.pool import Pool

QUOTA = "label_quota"


def write_labels(path: Path, pool: Pool, given: Mapping[str, Given], column: str) -> None:
    """One JSON line for each label: the pool's row with the label in `column`, who gave it
    (`label_source`) and why the row was asked (`label_quota`). The file is replaced as a whole.

    Raises: FreeDisk.
    """
    lines = [json.dumps(line, ensure_ascii=False) for line in lines_of(pool, given, column)]
    write_text(path, "".join(line + "\n" for line in lines))


def lines_of(pool: Pool, given: Mapping[str, Given], column: str) -> list[dict[str, Any]]:
    """The rows of a labels file."""
    return [
        pool.rows[key][1] | {column: g.label, SOURCE: g.source, QUOTA: g.quota}
        for key, g in given.items()
    ]


def journal_of(out: Path) -> Path:
    """Where the answers behind a labels file are kept."""
    return out.with_name(out.name + ".journal")


def refuse_foreign(out: Path) -> None:
    """Raises: FixData for a file that labelling did not write."""
    if out.exists() and not journal_of(out).exists():
        raise FixData(
            str(out),
            "the file exists and labelling did not write it",
            "a new name, or a file with its journal beside it",
            f"take its labels over with --import {out} and another --out",
        )
