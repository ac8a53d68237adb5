"""`luthier init` writes a short recipe that can be read back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from luthier.core.types import Task
from luthier.recipe import load_recipe
from luthier.stages.initialise import draft, look, scalar, write_recipe


def test_what_was_seen_is_said(luthier, rows: Path) -> None:
    ended = luthier("init", rows.name, "--yes")
    assert ended.code == 0
    assert "Task classify" in ended.out
    assert "column 'label'" in ended.out
    assert ended.out.strip().endswith("Wrote recipe.yaml")


def test_recipe_is_short_and_valid(luthier, rows: Path, tmp_path: Path) -> None:
    luthier("init", rows.name, "--yes")
    path = tmp_path / "recipe.yaml"
    recipe = load_recipe(path)
    assert recipe.task is Task.CLASSIFY
    assert recipe.name == "tickets"
    assert recipe.data.train == "tickets.csv"
    keys = [line for line in path.read_text(encoding="utf-8").splitlines() if line[:1] not in "#"]
    assert len([line for line in keys if line.strip()]) == 4


def test_json_answer(luthier, rows: Path) -> None:
    answer = luthier("init", rows.name, "--json", "--out", "mine.yaml").json
    assert answer["recipe"] == "mine.yaml"
    assert answer["task"] == "classify"
    assert answer["columns"] == {"text": ["text"], "label": "label", "separator": "\n"}
    assert answer["seen"]


def test_path_starts_at_the_recipe(luthier, rows: Path, tmp_path: Path) -> None:
    assert luthier("init", rows.name, "--yes", "--out", "recipes/first.yaml").code == 0
    recipe = load_recipe(tmp_path / "recipes" / "first.yaml")
    assert recipe.data.train == "../tickets.csv"


def test_files_beside_are_used(luthier, tmp_path: Path) -> None:
    for part in ("train", "validation", "test"):
        lines = [json.dumps({"text": f"{part} row {n}", "label": "ab"[n % 2]}) for n in range(6)]
        (tmp_path / f"{part}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    luthier("init", "train.jsonl", "--yes")
    recipe = load_recipe(tmp_path / "recipe.yaml")
    assert (recipe.data.validation, recipe.data.test) == ("validation.jsonl", "test.jsonl")
    assert recipe.name == tmp_path.name[:64]


def test_unusual_columns_are_written_down(luthier, tmp_path: Path) -> None:
    lines = [f"we were late again on day {n},{'gut' if n % 2 else 'böse'}" for n in range(20)]
    path = tmp_path / "größen: 1.csv"
    path.write_text("Wortlaut,Urteil\n" + "\n".join(lines), encoding="utf-8")
    ended = luthier("init", path.name, "--yes")
    assert ended.code == 0, ended.err
    columns = load_recipe(tmp_path / "recipe.yaml").data.columns
    assert (columns.text, columns.label) == ("Wortlaut", "Urteil")
    assert load_recipe(tmp_path / "recipe.yaml").data.train == path.name


def test_asked_task_wins(luthier, rows: Path, tmp_path: Path) -> None:
    luthier("init", rows.name, "--yes", "--task", "adapt")
    assert load_recipe(tmp_path / "recipe.yaml").task is Task.ADAPT


def test_columns_that_do_not_tell_are_refused_with_the_key_to_set(luthier, tmp_path: Path) -> None:
    lines = [f"{'xy'[n % 2]},{'pq'[n % 2]},a longer text with number {n}" for n in range(20)]
    (tmp_path / "a.csv").write_text("one,two,text\n" + "\n".join(lines), encoding="utf-8")
    ended = luthier("init", "a.csv", "--yes")
    assert ended.code == 3 and "data.columns.label" in ended.err
    assert not (tmp_path / "recipe.yaml").exists()


@pytest.mark.parametrize("name", ["finance_messages", "healthcare_messages"])
def test_starter_data(luthier, tmp_path: Path, name: str) -> None:
    ended = luthier("init", f"starter:{name}", "--yes")
    assert ended.code == 0, ended.err
    recipe = load_recipe(tmp_path / "recipe.yaml")
    assert (recipe.name, recipe.data.train) == (name, f"starter:{name}")


@pytest.mark.skipif(sys.platform == "win32", reason="there are no terminals to open here")
def test_questions_on_a_terminal(tmp_path: Path) -> None:
    import pty

    lines = [f"{'xy'[n % 2]},{'pq'[n % 2]},a longer text with number {n}" for n in range(20)]
    (tmp_path / "a.csv").write_text("one,two,text\n" + "\n".join(lines), encoding="utf-8")
    mine, theirs = pty.openpty()
    os.write(mine, b"\nnone\ntext\ntwo\n")
    done = subprocess.run(
        [str(Path(sys.executable).with_name("luthier")), "init", "a.csv"],
        stdin=theirs,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=os.environ | {"LUTHIER_HOME": str(tmp_path / "home")},
        timeout=60,
    )
    os.close(mine)
    os.close(theirs)
    assert done.returncode == 0, done.stderr
    assert "one, two could each be the label" in done.stderr
    assert "'none' is none of them" in done.stderr
    columns = load_recipe(tmp_path / "recipe.yaml").data.columns
    assert columns.label == "two"


def test_given_column_is_written_down_though_its_name_is_usual(tmp_path: Path) -> None:
    rows = [
        {"text": f"row {n} of many", "label": "ab"[n % 2], "topic": "cd"[n % 2]} for n in range(9)
    ]
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    text = draft(look(str(path), given={"label": "topic"}), tmp_path / "recipe.yaml")
    write_recipe(text, tmp_path / "recipe.yaml")
    assert load_recipe(tmp_path / "recipe.yaml").data.columns.label == "topic"


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=40))
def test_any_text_survives_as_a_value(value: str) -> None:
    read = YAML(typ="safe", pure=True).load(f"key: {scalar(value)}\n")
    assert read == {"key": value}


def test_few_labels_are_told_with_what_makes_them_worth_more(luthier, tmp_path: Path) -> None:
    lines = [json.dumps({"text": f"text {i}", "label": f"lost_card{i % 2}"}) for i in range(20)]
    (tmp_path / "few.jsonl").write_text("\n".join(lines), encoding="utf-8")
    found = luthier("init", "few.jsonl", "--yes")
    assert "few-shot ladder" in found.out
    text = (tmp_path / "recipe.yaml").read_text(encoding="utf-8")
    assert (
        "#     lost_card0: lost card0" in text and "pool:" in text and "learning_rate" not in text
    )


def test_classes_of_texts_without_labels(luthier, tmp_path: Path) -> None:
    lines = [json.dumps({"text": f"some text {i}"}) for i in range(20)]
    (tmp_path / "pool.jsonl").write_text("\n".join(lines), encoding="utf-8")
    assert "--classes" in luthier("init", "pool.jsonl", "--yes").out
    luthier("init", "pool.jsonl", "--force", "--classes", "billing, lost_card")
    recipe = load_recipe(tmp_path / "recipe.yaml")
    assert recipe.task.value == "classify"
    assert recipe.fewshot.descriptions == {"billing": "billing", "lost_card": "lost card"}


def test_classes_whose_names_say_nothing_are_named(luthier, tmp_path: Path) -> None:
    (tmp_path / "texts.jsonl").write_text('{"text": "a long enough text"}\n' * 8)
    done = luthier("init", "texts.jsonl", "--classes", "CC,billing,X1")
    assert "a sentence is needed for: CC, X1" in " ".join((done.out + done.err).split())


def test_classes_beside_labels_or_only_one_are_refused(luthier, rows: Path) -> None:
    assert "column of labels" in luthier("init", str(rows), "--classes", "a,b").err
    assert "at least two" in luthier("init", str(rows), "--classes", "a").err
