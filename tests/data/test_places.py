"""Rows of several files are named by their file and their number within it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier.core.errors import FixData
from luthier.core.progress import Silence
from luthier.core.types import Finding, Level, RowNumber, Task, file_of
from luthier.data.audit import audit
from luthier.data.feed.contract import PLAIN_TEMPLATE, PromptContract, make_contract
from luthier.data.feed.encode import Encoded, encode
from luthier.data.feed.labels import LabelSet
from luthier.data.mapping import Refusals, canonical_rows, recognise
from luthier.data.source import open_source
from luthier.data.split import make_splits
from luthier.data.table import Table
from luthier.recipe.load import recipe_from_dict
from luthier.stages.forecast.result import token_findings
from luthier.stages.prepare import prepare
from tiny import ListedRows, make_tokenizer

Numbered = list[tuple[str, int]]


def rows(start: int, count: int) -> list[dict[str, Any]]:
    """Rows that differ, with two labels in turn."""
    kinds = ("card", "loan")
    return [
        {"text": f"a letter about {kinds[i % 2]} number {i}", "label": kinds[i % 2]}
        for i in range(start, start + count)
    ]


def put(path: Path, written: list[dict[str, Any]]) -> Path:
    """JSON Lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in written), encoding="utf-8")
    return path


def places(location: Path | str, base: Path | None = None) -> Numbered:
    """File and number of every row."""
    return [(file_of(n), int(n)) for n, _ in open_source(str(location), base).rows()]


def test_shards_are_numbered_each_from_one(tmp_path: Path) -> None:
    put(tmp_path / "set" / "train-00000-of-00002.jsonl", rows(0, 2))
    put(tmp_path / "set" / "train-00001-of-00002.jsonl", rows(2, 1))
    first, second = (f"set/train-0000{i}-of-00002.jsonl" for i in range(2))
    assert places(tmp_path / "set") == [(first, 1), (first, 2), (second, 1)]
    for file in (tmp_path / "set").iterdir():
        lines = [json.loads(line) for line in file.read_text().splitlines()]
        pq.write_table(pa.Table.from_pylist(lines), file.with_suffix(".parquet"))
        file.unlink()
    named = [(name.replace("jsonl", "parquet"), n) for name, n in [(first, 1), (first, 2)]]
    assert places(tmp_path / "set")[:2] == named
    assert places(tmp_path / "set")[2] == (second.replace("jsonl", "parquet"), 1)


def test_a_text_file_is_named_and_not_counted(tmp_path: Path) -> None:
    for name in ("good/1.txt", "poor/1.txt"):
        (tmp_path / "by" / name).parent.mkdir(parents=True)
        (tmp_path / "by" / name).write_text("words")
    assert places(tmp_path / "by") == [("by/good/1.txt", 1), ("by/poor/1.txt", 1)]


def test_files_of_one_name_are_told_apart(tmp_path: Path) -> None:
    put(tmp_path / "a" / "rows.jsonl", rows(0, 1))
    put(tmp_path / "b" / "rows.jsonl", rows(1, 1))
    assert places("a/rows.jsonl", tmp_path) == [("a/rows.jsonl", 1)]
    assert places("b/rows.jsonl", tmp_path) == [("b/rows.jsonl", 1)]
    # what lies elsewhere on the machine is nobody's business
    assert places(tmp_path / "a" / "rows.jsonl") == [("rows.jsonl", 1)]


def test_a_row_that_does_not_fit_is_refused_by_its_file(tmp_path: Path) -> None:
    put(tmp_path / "set" / "train-0.jsonl", rows(0, 12))
    put(tmp_path / "set" / "train-1.jsonl", [*rows(12, 12), {"text": "", "label": "card"}])
    source = open_source(str(tmp_path / "set"))
    mapping, _ = recognise(rows(0, 4), Task.CLASSIFY, {})
    with pytest.raises(FixData, match=r"^set/train-1\.jsonl, row 13: "):
        list(canonical_rows(source, mapping))
    refusals = Refusals()
    table = Table.write(
        canonical_rows(source, mapping, refusals), tmp_path / "t.arrow", Task.CLASSIFY
    )
    (finding,) = refusals.findings()
    assert (finding.rows, finding.files) == ((13,), ("set/train-1.jsonl",))
    assert file_of(table.source_row(12)) == "set/train-1.jsonl" and table.source_row(12) == 1
    assert table.files == ("set/train-0.jsonl", "set/train-1.jsonl")


def test_a_finding_names_the_file_of_every_row(tmp_path: Path) -> None:
    first = put(tmp_path / "set" / "train-0.jsonl", [*rows(0, 20), rows(3, 1)[0]])
    put(tmp_path / "set" / "train-1.jsonl", [*rows(20, 20), rows(5, 1)[0]])
    source = open_source(str(tmp_path / "set"))
    mapping, _ = recognise(rows(0, 4), Task.CLASSIFY, {})
    table = Table.write(canonical_rows(source, mapping), tmp_path / "t.arrow", Task.CLASSIFY)
    report = audit(table, make_splits(table, 0.1, 0.1, 1))
    found = next(f for f in report.findings if f.code == "duplicate")
    assert found.where(5) == "set/train-0.jsonl: 21; set/train-1.jsonl: 21"
    told = next(f for f in report.as_dict()["findings"] if f["code"] == "duplicate")
    assert told["rows"] == [21, 21] and told["files"] == [
        f"set/{n}" for n in (first.name, "train-1.jsonl")
    ]
    assert json.loads(json.dumps(told)) == told


@pytest.mark.parametrize("given", [True, False], ids=["files", "folder"])
def test_a_leak_is_refused_by_file_and_row(given: bool, tmp_path: Path) -> None:
    put(tmp_path / "set" / "train.jsonl", rows(0, 30))
    put(tmp_path / "set" / "validation.jsonl", rows(30, 10))
    put(tmp_path / "set" / "test.jsonl", [*rows(40, 9), rows(7, 1)[0]])
    parts = {part: f"set/{part}.jsonl" for part in ("train", "validation", "test")}
    data: dict[str, Any] = parts if given else {"train": "set"}
    recipe = recipe_from_dict({"task": "classify", "data": data})
    with pytest.raises(FixData, match=r"rows (set/)?test\.jsonl: 10: ") as caught:
        prepare(recipe, tmp_path, tmp_path / "work", Silence())
    assert str(tmp_path) not in str(caught.value)
    allowed = recipe_from_dict({"task": "classify", "data": data | {"allow_leakage": True}})
    table = prepare(allowed, tmp_path, tmp_path / "work", Silence()).table
    assert [Path(name).name for name in table.files] == [Path(p).name for p in parts.values()]
    assert [int(table.source_row(i)) for i in (0, 29, 30, 39, 40, 49)] == [1, 30, 1, 10, 1, 10]


def test_rows_without_a_file_stay_plain_numbers(tmp_path: Path) -> None:
    table = Table.write([(7, {"text": "a", "label": "x"})], tmp_path / "t.arrow", Task.CLASSIFY)
    assert table.source_row(0) == 7 and table.files == ()
    finding = Finding.at("c", Level.INFO, "", 1, [table.source_row(0)])
    assert finding.files == () and finding.where(3) == "7"


@given(st.lists(st.tuples(st.sampled_from(["", "a.csv", "b.csv"]), st.integers(1, 99)), max_size=8))
def test_files_and_rows_go_together(numbers: Numbered) -> None:
    given_rows = [RowNumber(n, file) if file else n for file, n in numbers]
    finding = Finding.at("c", Level.INFO, "", len(numbers), given_rows)
    assert list(finding.rows) == [n for _, n in numbers]
    assert all(type(row) is int for row in finding.rows)
    known = any(file for file, _ in numbers)
    assert list(finding.files) == ([file for file, _ in numbers] if known else [])


class TwoFiles(ListedRows):
    """Rows in memory that come from two files, two from each."""

    def source_row(self, index: int) -> int:
        """Its number in its file."""
        return RowNumber(index % 2 + 1, f"{index // 2}.jsonl")


def test_cut_and_dropped_rows_are_named_by_their_file(tmp_path: Path) -> None:
    long = [{"role": "user", "content": "late " * 60}, {"role": "assistant", "content": "pay"}]
    short = [{"role": "user", "content": "fee"}, {"role": "assistant", "content": "pay"}]
    table = TwoFiles(Task.INSTRUCT, [{"messages": m} for m in (short, long, short, short[:1])])
    tokenizer = make_tokenizer()
    contract = make_contract(tokenizer, PLAIN_TEMPLATE, [tokenizer.eos_token_id], 40)
    encoded = encode(table, contract, LabelSet(()), "set")
    encoded.save(tmp_path)
    for tokens in (encoded, Encoded.load(tmp_path)):
        found = {f.code: f for f in token_findings(tokens, contract)}
        assert found["truncated"].where(5) == "0.jsonl: 2"
        assert found["dropped"].where(5) == "0.jsonl: 2; 1.jsonl: 2"
    refuse = make_contract(tokenizer, PLAIN_TEMPLATE, [tokenizer.eos_token_id], 40, "refuse")
    with pytest.raises(FixData, match=r"^0\.jsonl, row 2: .*longer than 40"):
        encode(table, refuse, LabelSet(()), "set")


def test_a_label_that_training_never_saw_is_named_by_its_file() -> None:
    table = TwoFiles(Task.CLASSIFY, rows(0, 4))
    contract = PromptContract(make_tokenizer(encoder=True), None, (), 40)
    with pytest.raises(FixData, match=r"^0\.jsonl, row 2: the label 'loan'"):
        encode(table, contract, LabelSet(("card",)), "set")
