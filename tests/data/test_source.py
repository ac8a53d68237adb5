"""Every format gives the rows that were written, and every fault says where it is."""

from __future__ import annotations

import csv
import gzip
import io
import json
import sys
import tempfile
import tracemalloc
import types
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luthier.core.errors import FixData, FixRecipe, InstallExtra, LuthierError
from luthier.data.source import fingerprint, open_source, split_names

ROWS = [{"text": "a café, open", "label": "x"}, {"text": "line\nbreak", "label": "y"}]
CSV = 'text,label\n"a café, open",x\n"line\nbreak",y\n'


def read(location: Path | str, **options: Any) -> list[dict[str, Any]]:
    return [row for _, row in open_source(str(location), **options).rows()]


def put(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def fault(location: Path | str, **options: Any) -> LuthierError:
    with pytest.raises(LuthierError) as caught:
        read(location, **options)
    return caught.value


JSONL = "".join(json.dumps(row) + "\n" for row in ROWS)
WRITTEN = {
    "a.csv": CSV,
    "bom.csv": b"\xef\xbb\xbf" + CSV.encode(),
    "wide.csv": CSV.encode("utf-16"),
    "semicolon.csv": 'text;label\n"a café, open";x\n"line\nbreak";y\n',
    "a.tsv": 'text\tlabel\na café, open\tx\n"line\nbreak"\ty\n',
    "packed.csv.gz": gzip.compress(CSV.encode()),
    "a.jsonl": JSONL,
    "gaps.jsonl": JSONL.replace("\n", "\r\n\r\n"),
    "packed.jsonl.gz": gzip.compress(JSONL.encode()),
    "a.json": json.dumps(ROWS),
    "pretty.json": json.dumps(ROWS, indent=2),
    "held.json": json.dumps({"version": 1, "data": ROWS, "more": []}),
    "lines.json": JSONL,
}


@pytest.mark.parametrize("name", WRITTEN)
def test_every_spelling_of_the_rows_reads_the_same(name: str, tmp_path: Path) -> None:
    assert read(put(tmp_path / name, WRITTEN[name])) == ROWS


@pytest.mark.parametrize("value", [[1, 2], [], ["x"]])
def test_lines_may_hold_lists_of_their_own(value: list[Any], tmp_path: Path) -> None:
    rows = [{"text": "a", "items": value or ["y"]}, {"text": "b", "items": value}]
    assert read(put(tmp_path / "a.json", "".join(json.dumps(r) + "\n" for r in rows))) == rows


def test_rows_are_numbered_as_in_the_file(tmp_path: Path) -> None:
    source = open_source(str(put(tmp_path / "gaps.jsonl", '{"text": "a"}\n\n{"text": "b"}\n')))
    assert [number for number, _ in source.rows()] == [1, 3]
    source = open_source(str(put(tmp_path / "a.csv", CSV)))
    assert [number for number, _ in source.rows()] == [1, 2]


def test_a_relative_place_starts_at_the_base(tmp_path: Path) -> None:
    put(tmp_path / "sub" / "a.csv", CSV)
    assert read("sub/a.csv", base=tmp_path) == ROWS


def test_parquet_and_arrow_give_the_same_rows(tmp_path: Path) -> None:
    table = pa.Table.from_pylist(ROWS)
    pq.write_table(table, tmp_path / "a.parquet")
    with pa.ipc.new_file(str(tmp_path / "a.arrow"), table.schema) as writer:
        writer.write_table(table)
    assert read(tmp_path / "a.parquet") == read(tmp_path / "a.arrow") == ROWS


def saved(folder: Path, rows: list[dict[str, Any]]) -> None:
    """A data set folder as the package `datasets` saves it, with class numbers."""
    features = {"label": {"names": ["x", "y"], "_type": "ClassLabel"}, "text": {"_type": "Value"}}
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    numbered = [row | {"label": "xy".index(row["label"])} for row in rows]
    table = pa.Table.from_pylist(numbered).replace_schema_metadata(metadata)
    folder.mkdir(parents=True)
    with pa.ipc.new_stream(str(folder / "data-00000-of-00001.arrow"), table.schema) as writer:
        writer.write_table(table)
    state = {"_data_files": [{"filename": "data-00000-of-00001.arrow"}]}
    (folder / "state.json").write_text(json.dumps(state))


def test_a_saved_data_set_gives_class_names(tmp_path: Path) -> None:
    saved(tmp_path / "one", ROWS)
    assert read(tmp_path / "one") == ROWS
    saved(tmp_path / "many" / "train", ROWS)
    saved(tmp_path / "many" / "test", ROWS[:1])
    (tmp_path / "many" / "dataset_dict.json").write_text('{"splits": ["test", "train"]}')
    assert split_names(str(tmp_path / "many")) == ("train", "test")
    assert read(tmp_path / "many") == ROWS
    assert read(tmp_path / "many", split="test") == ROWS[:1]


def test_a_folder_of_split_files(tmp_path: Path) -> None:
    put(tmp_path / "train-00000-of-00002.jsonl", JSONL.splitlines()[0])
    put(tmp_path / "train-00001-of-00002.jsonl", JSONL.splitlines()[1])
    put(tmp_path / "dev.jsonl", JSONL)
    put(tmp_path / "CARD.md", "about")
    assert split_names(str(tmp_path)) == ("train", "validation")
    assert read(tmp_path) == ROWS
    error = fault(tmp_path, split="tset")
    assert "train, validation" in str(error)


def test_folders_of_text(tmp_path: Path) -> None:
    put(tmp_path / "plain" / "b.txt", "two")
    put(tmp_path / "plain" / "a.md", "one")
    assert [row["text"] for row in read(tmp_path / "plain")] == ["one", "two"]
    put(tmp_path / "by" / "good" / "1.txt", "fine")
    put(tmp_path / "by" / "bad" / "1.txt", "poor")
    assert [(r["text"], r["label"]) for r in read(tmp_path / "by")] == [
        ("poor", "bad"),
        ("fine", "good"),
    ]
    put(tmp_path / "by" / "loose.txt", "?")
    assert "loose.txt" in str(fault(tmp_path / "by"))


def test_a_text_file_gives_its_paragraphs(tmp_path: Path) -> None:
    path = put(tmp_path / "a.txt", "one\nstill one\n\n\ntwo\n")
    assert read(path) == [{"text": "one\nstill one"}, {"text": "two"}]


FAULTS = {
    "empty.csv": ("", "empty"),
    "blank.jsonl": ("\n\n", "no rows"),
    "header-only.csv": ("text,label\n", "no rows"),
    "ragged.csv": ("text,label\na,b\nc,d,e\n", r"row 2 \(line 3\): 3 cells where the header has 2"),
    "open-quote.csv": ('text,label\n"a,b\nc,d\n', "quotes do not match"),
    "twice.csv": ("text,text\na,b\n", "two columns are called 'text'"),
    "nameless.csv": ("text,\na,b\n", "column 2 has no name"),
    "headless.csv": ("I lost my card and want another one,lost\nx y,z\n", "header is missing"),
    "headless-short.csv": ("card lost,lost\na b,lost\nc d,lost\n", "header is missing"),
    "broken.jsonl": ('{"text": "a"}\n{"text": \n', "line 2: the JSON is broken at column"),
    "list.jsonl": ("[1]\n", "a JSON list stands where a row should be"),
    "broken.json": ('[{"a": 1},\n{"a": }]', "line 2: the JSON is broken"),
    "cut.json": ('[{"a": 1}, {"a": 2}', "comma or a closing bracket"),
    "early.json": ("[{a: 1}, " + '{"b": 2}, ' * 50_000, "line 1: the JSON is broken at column 3"),
    "digits.jsonl": ('{"a": ' + "1" * 5000 + "}", "cannot be read"),
    "digits.json": ('[{"a": ' + "1" * 5000 + "}]", "cannot be read"),
    "deep.jsonl": ("[" * 100_000, "nested too deeply"),
    "deep.json": ('[{"a": ' + "[" * 100_000, "nested too deeply"),
    "twice.json": ('[{"a": 1}]\n[{"a": 2}]', "line 2: there is more after the end of the list"),
    "other.json": ('{"name": "x",\n "list": 3}', "no list of rows"),
    "latin.csv": ("text,label\nabc,x\ncafé,y\n".encode("latin-1"), "line 3: the byte at offset 20"),
    "wide.jsonl": ('{"text": "a"}\n'.encode("utf-16-le"), "data.encoding"),
    "cut.csv.gz": (gzip.compress(CSV.encode() * 99)[:-12], "gzip archive is broken"),
    "no.parquet": ("PAR1 not really", "not a whole .parquet file"),
    "no.arrow": ("not arrow at all, really", "not a whole .arrow file"),
    "a.docx": ("x", "ending '.docx' says no format"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_faulty_file_is_refused_with_place_and_cause(name: str, tmp_path: Path) -> None:
    content, message = FAULTS[name]
    with pytest.raises(FixData, match=message) as caught:
        read(put(tmp_path / name, content))
    assert caught.value.place.startswith(name.split(".", maxsplit=1)[0])


def test_a_missing_file_names_the_nearest(tmp_path: Path) -> None:
    put(tmp_path / "tickets.csv", CSV)
    assert "Did you mean 'tickets.csv'?" in str(fault(tmp_path / "ticket.csv"))
    assert "folder" in str(fault(tmp_path / "none" / "ticket.csv"))


def test_the_encoding_key_reads_other_encodings(tmp_path: Path) -> None:
    path = put(tmp_path / "a.csv", CSV.encode("cp1252"))
    assert read(path, encoding="cp1252") == ROWS
    assert isinstance(fault(path, encoding="cp125x"), FixRecipe)


def test_the_offset_of_a_bad_byte_is_right_far_into_the_file(tmp_path: Path) -> None:
    good = "text,label\n" + "é,x\n" * 50_000
    path = put(tmp_path / "a.csv", good.encode() + b"\xff,y\n")
    error = fault(path)
    assert f"offset {len(good.encode())} " in str(error)
    assert error.place == "a.csv, line 50002"


def test_an_unknown_format_or_starter_is_refused(tmp_path: Path) -> None:
    assert "Did you mean 'jsonl'?" in str(fault(put(tmp_path / "a.csv", CSV), format="jsonll"))
    assert "finance_messages" in str(fault("starter:finance"))


def test_the_format_key_wins_over_the_ending(tmp_path: Path) -> None:
    assert read(put(tmp_path / "a.dat", JSONL), format="jsonl") == ROWS


def test_the_hub_needs_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    error = fault("owner/name")
    assert isinstance(error, InstallExtra)
    assert "luthier[hub]" in str(error)


def test_hub_rows_stream_with_class_names(monkeypatch: pytest.MonkeyPatch) -> None:
    commit = "0123456789" * 4

    class Streamed(list[dict[str, Any]]):
        features: ClassVar = {"label": types.SimpleNamespace(names=["x", "y"])}

    def load(name: str, config: str | None, split: str, streaming: bool, revision: str) -> Streamed:
        assert (name, config, split, streaming) == ("owner/name", "small", "train", True)
        assert revision == commit
        return Streamed([{"text": "a", "label": 1}, {"text": "b", "label": -1}])

    monkeypatch.setitem(sys.modules, "datasets", types.SimpleNamespace(load_dataset=load))
    assert read(f"owner/name@{commit}:small") == [
        {"text": "a", "label": "y"},
        {"text": "b", "label": None},
    ]


def test_a_fingerprint_follows_the_content_alone(tmp_path: Path) -> None:
    first = put(tmp_path / "a" / "one.csv", CSV)
    second = put(tmp_path / "b" / "two.csv", CSV)
    assert fingerprint(str(first)) == fingerprint(str(second))
    put(second, CSV + "more,x\n")
    assert fingerprint(str(first)) != fingerprint("two.csv", tmp_path / "b")


def test_a_fingerprint_of_a_split_leaves_the_others_aside(tmp_path: Path) -> None:
    put(tmp_path / "train.jsonl", JSONL)
    put(tmp_path / "test.jsonl", JSONL)
    before = fingerprint(str(tmp_path), split="train")
    put(tmp_path / "test.jsonl", JSONL * 2)
    assert fingerprint(str(tmp_path), split="train") == before


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.json"])
def test_rows_come_before_the_file_is_read(name: str, tmp_path: Path) -> None:
    """The end of the file is broken, yet the first rows come: nothing reads ahead to it."""
    many = [{"text": f"row {i} of many", "label": "x"} for i in range(20_000)]
    written = {
        "a.csv": "text,label\n" + "".join(f"{r['text']},x\n" for r in many) + "a,b,c\n",
        "a.jsonl": "".join(json.dumps(row) + "\n" for row in many) + "{",
        "a.json": json.dumps(many)[:-1] + ", {",
    }
    rows = open_source(str(put(tmp_path / name, written[name]))).rows()
    assert [next(rows)[1] for _ in range(10)] == many[:10]
    with pytest.raises(FixData):
        list(rows)


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.json"])
def test_a_row_of_a_large_file_needs_little_memory(name: str, tmp_path: Path) -> None:
    text = "x" * 2000
    rows = [{"text": text, "label": "x"}] * 5000
    written = {
        "a.csv": "text,label\n" + f"{text},x\n" * 5000,
        "a.jsonl": "".join(json.dumps(row) + "\n" for row in rows),
        "a.json": json.dumps(rows),
    }
    source = open_source(str(put(tmp_path / name, written[name])))
    del written
    tracemalloc.start()
    try:
        reader = source.rows()
        for _ in range(400):
            next(reader)
        assert tracemalloc.get_traced_memory()[1] < 2 << 20
    finally:
        tracemalloc.stop()


TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=40)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.fixed_dictionaries({"text": TEXT, "label": TEXT}), min_size=1, max_size=5))
def test_any_text_survives_csv(rows: list[dict[str, str]]) -> None:
    held = io.StringIO(newline="")
    writer = csv.DictWriter(held, ["text", "label"], quoting=csv.QUOTE_ALL)
    writer.writeheader()
    writer.writerows(rows)
    if "\0" in held.getvalue():
        return
    with tempfile.TemporaryDirectory() as folder:
        assert read(put(Path(folder) / "a.csv", held.getvalue())) == rows


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.dictionaries(TEXT, JSON, max_size=3), min_size=1, max_size=4), st.booleans())
def test_any_object_survives_json(rows: list[dict[str, Any]], ascii_only: bool) -> None:
    lines = "".join(json.dumps(row, ensure_ascii=ascii_only) + "\n" for row in rows)
    if "\0" in lines:
        return
    with tempfile.TemporaryDirectory() as folder:
        assert read(put(Path(folder) / "a.jsonl", lines)) == rows
        array = json.dumps(rows, ensure_ascii=ascii_only, indent=1)
        assert read(put(Path(folder) / "a.json", array)) == rows


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200), st.sampled_from(["a.csv", "a.jsonl", "a.json", "a.txt"]))
def test_no_bytes_break_the_readers(content: bytes, name: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        try:
            read(put(Path(folder) / name, content))
        except FixData as error:
            assert error.met
