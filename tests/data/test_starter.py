"""The data that comes with the package is there, sound and found by name."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest

from luthier.core.errors import FixData
from luthier.core.types import Level, Task
from luthier.data.audit import audit
from luthier.data.mapping import canonical_rows, recognise
from luthier.data.source import open_source
from luthier.data.split import make_splits
from luthier.data.starter import STARTERS, starter_path
from luthier.data.table import Table


@pytest.mark.parametrize("name", STARTERS)
def test_starter_data_is_large_enough_and_clean(name: str, tmp_path: Path) -> None:
    source = open_source(f"starter:{name}")
    mapping, _ = recognise([row for _, row in islice(source.rows(), 500)])
    assert (mapping.task, mapping.text, mapping.label) == (Task.CLASSIFY, ("text",), "label")
    table = Table.write(canonical_rows(source, mapping), tmp_path / "t.arrow", mapping.task)
    assert len(table) >= 600
    report = audit(table, make_splits(table, 0.1, 0.15, 13))
    assert [f for f in report.findings if f.level is Level.ERROR] == []
    codes = {finding.code for finding in report.findings}
    assert not codes & {"duplicate", "leakage", "conflicting-labels", "mojibake"}


def test_an_unknown_starter_names_the_nearest() -> None:
    with pytest.raises(FixData, match="Did you mean 'finance_messages'"):
        starter_path("finance_message")
