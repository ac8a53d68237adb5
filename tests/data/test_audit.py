"""The data report finds what was planted, counts it, and names the rows of the file."""

from __future__ import annotations

import json
import random
import time
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from luthier.core.types import Finding, Level, Task
from luthier.data.audit import audit, normalise
from luthier.data.audits.duplicates import resemblance, signatures
from luthier.data.mapping import Refusals, canonical_rows, recognise
from luthier.data.source import open_source
from luthier.data.split import Splits, make_splits
from luthier.data.table import Table

FIRST_ROW = 101


def prose(rng: random.Random, words: int = 12) -> str:
    return " ".join(
        "".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(2, 9)))
        for _ in range(words)
    )


def varied(count: int, seed: int = 0) -> list[dict[str, Any]]:
    rng = random.Random(seed)
    return [{"text": prose(rng), "label": f"c{i % 3}"} for i in range(count)]


def table(rows: list[dict[str, Any]], path: Path, task: Task = Task.CLASSIFY) -> Table:
    return Table.write(enumerate(rows, start=FIRST_ROW), path / "rows.arrow", task)


def splits(train: int, validation: int, test: int) -> Splits:
    ends = np.cumsum([train, validation, test])
    parts = np.split(np.arange(ends[-1]), ends[:-1])
    return Splits(*parts)


def found(
    rows: list[dict[str, Any]], parts: Splits, path: Path, task: Task = Task.CLASSIFY
) -> dict[str, Finding]:
    report = audit(table(rows, path, task), parts)
    json.dumps(report.as_dict(), allow_nan=False)
    return {finding.code: finding for finding in report.findings}


def test_clean_rows_give_no_finding(tmp_path: Path) -> None:
    assert found(varied(60), splits(40, 10, 10), tmp_path) == {}


def test_planted_leaks_are_found_and_nothing_else(tmp_path: Path) -> None:
    rows = varied(400)
    rows[350]["text"] = "  " + rows[3]["text"].upper()
    rows[351]["text"] = rows[4]["text"][:-1] + "?"
    rows[390]["text"] = rows[5]["text"].replace(" ", "  ")
    rows[391]["text"] = rows[6]["text"] + " ok"
    for i in (350, 351, 390, 391):
        rows[i]["label"] = rows[{350: 3, 351: 4, 390: 5, 391: 6}[i]]["label"]
    report = audit(table(rows, tmp_path), splits(300, 80, 20))
    leaks = [f for f in report.findings if "leakage" in f.code]
    assert {(f.code, f.count, f.rows) for f in leaks} == {
        ("leakage", 1, (350 + FIRST_ROW,)),
        ("leakage", 1, (390 + FIRST_ROW,)),
        ("near-leakage", 1, (351 + FIRST_ROW,)),
        ("near-leakage", 1, (391 + FIRST_ROW,)),
    }
    levels = {f.rows[0]: f.level for f in leaks if f.code == "leakage"}
    assert levels == {350 + FIRST_ROW: Level.ERROR, 390 + FIRST_ROW: Level.ERROR}


def test_a_rare_leak_is_a_warning(tmp_path: Path) -> None:
    rows = varied(400)
    rows[399] = dict(rows[0])
    assert found(rows, splits(200, 0, 200), tmp_path)["leakage"].level is Level.WARNING


def test_near_copies_are_found_at_the_threshold(tmp_path: Path) -> None:
    """Of pairs at or above the threshold nearly all are found, of those below none."""
    rng = random.Random(5)
    rows = varied(600, seed=1)
    above = set()
    for i in range(200):
        text = rows[i]["text"]
        changed = list(text)
        for at in rng.sample(range(10, len(text) - 10), 1 + i % 2):
            changed[at] = "#"
        rows[400 + i]["text"] = "".join(changed)
        if resemblance(text, rows[400 + i]["text"]) >= 0.8:
            above.add(400 + i + FIRST_ROW)
    assert 80 < len(above) < 150
    near = found(rows, splits(400, 0, 200), tmp_path)["near-leakage"]
    assert 0.95 * len(above) <= near.count <= len(above)
    assert set(near.rows) <= above


def test_signatures_agree_as_much_as_texts_resemble() -> None:
    rng = random.Random(2)
    errors = []
    for _ in range(60):
        text = prose(rng, 20)
        other = " ".join(text.split()[: rng.randint(5, 19)]) + " " + prose(rng, 3)
        signed = signatures([text, other])
        errors.append(float((signed[0] == signed[1]).mean()) - resemblance(text, other))
    assert abs(float(np.mean(errors))) < 0.04
    assert signatures([]).shape == (0, 32)
    assert signatures(["", "a"]).shape == (2, 32)


def test_duplicates_and_conflicts(tmp_path: Path) -> None:
    rows = varied(60)
    rows[10]["text"] = rows[2]["text"] + " "
    rows[10]["label"] = rows[2]["label"]
    rows[11] = {
        "text": rows[3]["text"].upper(),
        "label": "c2" if rows[3]["label"] == "c1" else "c1",
    }
    made = found(rows, splits(60, 0, 0), tmp_path)
    assert made["duplicate"].rows == (10 + FIRST_ROW, 11 + FIRST_ROW)
    assert made["conflicting-labels"].rows == (3 + FIRST_ROW, 11 + FIRST_ROW)
    assert made["conflicting-labels"].level is Level.WARNING


def test_a_group_on_both_sides_is_told(tmp_path: Path) -> None:
    rows = [row | {"group": f"g{i}"} for i, row in enumerate(varied(60))]
    rows[59]["group"] = "g0"
    made = found(rows, splits(40, 10, 10), tmp_path)
    assert set(made) == {"group-leakage"}
    assert made["group-leakage"].rows == (59 + FIRST_ROW,)


def test_a_shared_prompt_is_no_leak_but_told(tmp_path: Path) -> None:
    rng = random.Random(0)
    rows = [
        {
            "messages": [
                {"role": "user", "content": prose(rng)},
                {"role": "assistant", "content": prose(rng)},
            ]
        }
        for _ in range(20)
    ]
    rows[19] = {"messages": [rows[0]["messages"][0], rows[19]["messages"][1]]}
    made = found(rows, splits(15, 0, 5), tmp_path, Task.INSTRUCT)
    assert set(made) == {"same-input"}
    assert made["same-input"].rows == (19 + FIRST_ROW,)


@pytest.mark.parametrize("task", [Task.CLASSIFY, Task.MULTILABEL])
def test_one_class_only_is_an_error(task: Task, tmp_path: Path) -> None:
    field = {"label": "a"} if task is Task.CLASSIFY else {"labels": ["a"]}
    rows = [{"text": row["text"]} | field for row in varied(30)]
    assert found(rows, splits(20, 5, 5), tmp_path, task)["one-class"].level is Level.ERROR


def test_a_constant_number_is_an_error(tmp_path: Path) -> None:
    rows = [{"text": row["text"], "label": 2.0} for row in varied(30)]
    made = found(rows, splits(20, 5, 5), tmp_path, Task.REGRESS)
    assert made["one-class"].level is Level.ERROR


def test_no_spans_at_all_is_an_error(tmp_path: Path) -> None:
    rows = [{"text": row["text"], "spans": []} for row in varied(30)]
    made = found(rows, splits(20, 5, 5), tmp_path, Task.TAG)
    assert made["no-labels"].level is Level.ERROR


def test_labels_that_training_never_shows(tmp_path: Path) -> None:
    rows = varied(60)
    rows[45]["label"], rows[55]["label"] = "{odd}", "new"
    made = found(rows, splits(40, 10, 10), tmp_path)
    assert made["label-only-in-test"].level is Level.WARNING
    assert made["label-only-in-test"].rows == (55 + FIRST_ROW,)
    assert made["label-only-in-validation"].level is Level.WARNING
    assert "{odd}" in made["label-only-in-validation"].message
    assert made["rare-label"].count == 2


def test_a_known_label_in_another_spelling_is_an_error(tmp_path: Path) -> None:
    rows = varied(60)
    rows[55]["label"] = rows[0]["label"].upper() + "!"
    made = found(rows, splits(40, 10, 10), tmp_path)
    assert made["label-only-in-test"].level is Level.ERROR


@pytest.mark.parametrize(("share", "level"), [(4, Level.INFO), (20, Level.WARNING)])
def test_skewed_labels_are_told_with_their_ratio(share: int, level: Level, tmp_path: Path) -> None:
    rows = varied(10 * (share + 1))
    for i, row in enumerate(rows):
        row["label"] = "few" if i % (share + 1) == 0 else "many"
    made = found(rows, splits(len(rows), 0, 0), tmp_path)["imbalance"]
    assert made.level is level
    assert f"{share}.0 times" in made.message


ENCODING = {
    "replacement-character": "caf\ufffd",
    "mojibake": "cafÃ© â€œquotedâ€\x9d",
    "control-character": "beep\x07",
    "invisible-character": "zero\u200bwidth",
}


@pytest.mark.parametrize("code", ENCODING)
def test_encoding_faults_are_named(code: str, tmp_path: Path) -> None:
    rows = varied(30)
    rows[7]["text"] += " " + ENCODING[code]
    made = found(rows, splits(20, 5, 5), tmp_path)
    assert made[code].rows == (7 + FIRST_ROW,)


GOOD = (
    "Ärger über Öl", "naïve café", "Ã la carte", "10 € – “so”", "👩‍🚀 ok", "नमस्ते", "“CAFÉ”",
    "“TÄÄLLÄ”", "CAFÉ\u00a0!", "am Fuß\u00a0links", "Ñandú", "À â ê", "Привет – “да”", "“É–”",
)  # fmt: skip


@pytest.mark.parametrize("text", GOOD)
def test_good_text_is_no_encoding_fault(text: str, tmp_path: Path) -> None:
    rows = varied(30)
    rows[7]["text"] = text
    assert not set(found(rows, splits(20, 5, 5), tmp_path)) & set(ENCODING)


def test_rows_with_nothing_visible(tmp_path: Path) -> None:
    rows = varied(30)
    rows[4]["text"] = "\u200b \ufeff"
    assert found(rows, splits(20, 5, 5), tmp_path)["empty"].rows == (4 + FIRST_ROW,)


def test_row_numbers_stop_at_twenty(tmp_path: Path) -> None:
    rows = varied(60)
    for row in rows[1:50]:
        row["text"], row["label"] = rows[0]["text"], rows[0]["label"]
    made = found(rows, splits(60, 0, 0), tmp_path)["duplicate"]
    assert (made.count, len(made.rows)) == (49, 20)


def test_counts_labels_and_lengths(tmp_path: Path) -> None:
    rows = [{"text": "ab cd" + "x" * i, "label": "ab"[i % 2]} for i in range(100)]
    report = audit(table(rows, tmp_path), splits(70, 10, 20))
    assert report.rows == {
        "total": 100, "refused": 0, "kept": 100, "train": 70, "validation": 10, "test": 20,
    }  # fmt: skip
    assert report.labels == {"a": 50, "b": 50}
    characters = report.lengths["characters"]
    assert (characters["mean"], characters["max"]) == (54.5, 104)
    assert sum(characters["histogram"]["counts"]) == 100
    assert len(characters["histogram"]["edges"]) == len(characters["histogram"]["counts"]) + 1
    assert report.lengths["words"]["p95"] == 2


def test_refused_rows_are_in_the_report(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("text,label\n" + "".join(f"{r['text']},{r['label']}\n" for r in varied(30)))
    with path.open("a") as file:
        file.write(",c1\n")
    source, refusals = open_source(str(path)), Refusals()
    mapping, _ = recognise([row for _, row in source.rows()])
    made = Table.write(canonical_rows(source, mapping, refusals), tmp_path / "t", mapping.task)
    report = audit(made, make_splits(made, 0.1, 0.1, 13), refusals)
    assert (report.rows["total"], report.rows["kept"]) == (31, 30)
    assert [(f.code, f.rows) for f in report.findings] == [("empty", (31,))]


def test_ten_thousand_short_rows_are_quick(tmp_path: Path) -> None:
    rows = varied(10_000)
    made = table(rows, tmp_path)
    parts = make_splits(made, 0.1, 0.1, 13)
    started = time.process_time()
    audit(made, parts)
    assert time.process_time() - started < 2.5


def test_equal_texts() -> None:
    assert normalise(" Ｆｏｏ\u00a0BAR\n") == normalise("foo  bar")
    assert normalise("STRASSE") == normalise("straße")
    assert normalise("a") != normalise("b")


REAL = (
    "banking77", "clinc150", "medical_abstracts", "twitter_financial_sentiment", "wnut17_ner",
    "presidio_pii", "e2e_nlg", "oasst_preferences", "snips",
)  # fmt: skip


@pytest.mark.parametrize("name", REAL)
def test_real_files_are_audited(name: str, shared_data: Path, tmp_path: Path) -> None:
    source = open_source(str(shared_data / name / "test.jsonl"))
    mapping, _ = recognise([row for _, row in islice(source.rows(), 300)])
    rows = islice(canonical_rows(source, mapping, Refusals()), 1500)
    made = Table.write(rows, tmp_path / "t.arrow", mapping.task)
    parts = make_splits(made, 0.1, 0.15, 13)
    report = audit(made, parts)
    assert report.rows["kept"] == len(made)
    assert not [f for f in report.findings if f.level is Level.ERROR]
    assert all(row >= 1 for finding in report.findings for row in finding.rows)
    json.dumps(report.as_dict(), allow_nan=False)
