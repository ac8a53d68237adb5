"""The rows that a run with a choice among its training rows learnt from, as its folder tells."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from luthier.stages.prepare import Prepared

FILE = "selection.json"


def as_learnt(prepared: Prepared, folder: Path) -> Prepared:
    """With the training rows of the model that was kept; unchanged where all were learnt from."""
    file = folder / FILE
    if not file.is_file():
        return prepared
    told = json.loads(file.read_text(encoding="utf-8"))
    chosen = [row["place"] for row in told["rows"]] if told["kept"] == "chosen" else told["lot"]
    train = np.sort(np.asarray(chosen, np.int64))
    return replace(prepared, splits=replace(prepared.splits, train=train))
