"""One row that no person labelled is found among any number of others."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from luthier.core.errors import FixData
from luthier.data.source import open_source
from luthier.stages.labelling.judges import Watched


@pytest.mark.parametrize("source", ["rule", "model"])
def test_a_single_weak_row_is_refused(tmp_path: Path, source: str) -> None:
    rows = [{"text": f"row {i}", "label": "a", "label_source": "human"} for i in range(1501)]
    rows[1499]["label_source"] = source
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    watched = Watched(open_source(str(file)))
    assert [row for _, row in watched.rows()] == rows
    with pytest.raises(FixData, match=r"1 rows were labelled .* test rows"):
        watched.refuse("test")


def test_labels_of_people_may_judge(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("text,label,label_source\na,b,human\nc,d,\n", encoding="utf-8")
    watched = Watched(open_source(str(file)))
    assert len(list(watched.rows())) == 2
    watched.refuse("validation")
