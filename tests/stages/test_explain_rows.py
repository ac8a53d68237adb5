"""Training rows behind answers, and doubtful labels, from a run to its folder."""

from __future__ import annotations

import json
import re
from collections import Counter
from html import escape
from pathlib import Path

import numpy as np
import pytest
from stage_place import Place, is_whole, write_rows
from typer.testing import CliRunner

from luthier.cli.main import app
from luthier.core.errors import CheckRun, FixData, FixRecipe
from luthier.core.types import Task
from luthier.stages import api
from luthier.store.store import Store
from tiny import task_rows

FILE = "explain/rows.safetensors"


def answered(place: Place, run: str, count: int = 3, **more: object) -> dict[str, object]:
    return api.explain(
        run, place.store, texts=["pay the late fee"], method="gradient", learned_from=count, **more
    )


def test_an_answer_names_the_rows_it_was_learned_from(place: Place) -> None:
    result = place.run({"train.max_steps": 12})
    told = answered(place, result.run)
    (one,) = told["explanations"]  # type: ignore[misc]
    rows = one["learned_from"]
    assert 1 <= len(rows["for"]) <= 3 and len(rows["near"]) == 3
    scores = [row["score"] for row in rows["for"]]
    assert scores == sorted(scores, reverse=True) and scores[-1] > 0
    assert all(row["score"] < 0 for row in rows["against"])
    lines = (place.folder / "train.jsonl").read_text(encoding="utf-8").splitlines()
    for row in [*rows["for"], *rows["against"], *rows["near"]]:
        written = json.loads(lines[row["row"] - 1])
        assert (row["text"], row["label"]) == (written["text"], written["label"])
    control = told["rows"]["control"]  # type: ignore[index]
    assert control["rows"] >= 8 and set(control["against"]) == {"cosine", "datainf", "embedding"}
    page = Path(str(told["page"])).read_text(encoding="utf-8")
    assert "Learned from" in page and "caused" not in page
    # Each row named can be followed to its whole text, which stands on the page once.
    links, whole = (
        Counter(re.findall(r'href="#(.*?)"', page)),
        re.findall(r'id="(row-\d+)">\s*<p>(.*?)</p>\s*<p class="whole">(.*?)</p>', page),
    )
    named = [*rows["for"], *rows["against"], *rows["near"]]
    assert set(links) == {anchor for anchor, _, _ in whole} and links.total() == len(named)
    assert sorted(text for _, _, text in whole) == sorted({escape(row["text"]) for row in named})
    for _, where, text in whole:
        number = int(re.search(r"row (\d+)", where)[1])  # type: ignore[index]
        assert escape(json.loads(lines[number - 1])["text"]) == text
    assert is_whole(place.store.find(result.run))


def test_traces_are_kept_and_checked(place: Place) -> None:
    result = place.run()
    first = answered(place, result.run)
    kept = result.path / FILE
    made = kept.stat().st_mtime_ns
    again = answered(place, result.run)
    assert kept.stat().st_mtime_ns == made and first["explanations"] == again["explanations"]
    from safetensors.numpy import load_file, save_file

    tensors = load_file(str(kept))
    assert tensors["gradients"].shape[1] == 512 and tensors["gradients"].dtype == np.float32
    save_file(tensors, str(kept), {"version": "1", "width": "512", "data": "x", "left_out": ""})
    with pytest.raises(CheckRun, match="other data"):
        answered(place, result.run)
    kept.write_bytes(kept.read_bytes()[:50])
    with pytest.raises(CheckRun, match="damaged"):
        answered(place, result.run)
    kept.unlink()
    assert answered(place, result.run)["explanations"] == first["explanations"]
    with (place.folder / "train.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps({"text": "one more", "label": "a"}) + "\n")
    with pytest.raises(CheckRun, match="changed since the run"):
        answered(place, result.run)


def test_what_cannot_be_said_of_rows_is_refused(place: Place) -> None:
    result = place.run()
    with pytest.raises(FixRecipe, match="did you mean 'datainf'"):
        answered(place, result.run, by="datainff")
    with pytest.raises(FixData, match="give one --text"):
        api.explain(
            result.run, place.store, texts=["loan", "fee"], method="gradient", learned_from=2,
            verify=True,
        )  # fmt: skip
    valued = [{"text": r["text"], "label": len(r["text"]) / 7} for r in task_rows(Task.CLASSIFY)]
    write_rows(place.folder / "train.jsonl", valued)
    write_rows(place.folder / "test.jsonl", valued[:6])
    other = place.run({"task": "regress", "data.allow_leakage": True})
    with pytest.raises(CheckRun, match="classify, multilabel, instruct"):
        answered(place, other.run)
    with pytest.raises(CheckRun, match="regress"):
        api.mislabelled(other.run, place.store)


def test_a_private_run_is_told_with_a_warning_and_not_trained_again(place: Place) -> None:
    private = {"epsilon": 8.0, "batch_size": 16, "force": True}
    result = place.run({"safety.privacy": private, "train.learning_rate": None})
    told = answered(place, result.run)
    assert any("differential privacy" in str(note) for note in told["notes"])  # type: ignore[attr-defined]
    with pytest.raises(CheckRun, match="nothing counts"):
        answered(place, result.run, verify=True)


def test_removal_is_tried_and_its_words_follow_it(place: Place) -> None:
    result = place.run({"train.max_steps": 6})
    (one,) = answered(place, result.run, verify=True)["explanations"]  # type: ignore[misc]
    found = one["learned_from"]["verified"]
    assert len(found["without"]) == 4 and len(found["others"]) == 8 and found["updates"] == 6
    assert np.isfinite(found["without"] + found["others"]).all()
    assert found["caused"] == (found["high"] < 0) == ("in part caused" in found["says"])
    page = (result.path / "explain/explanations.html").read_text(encoding="utf-8")
    assert found["says"].replace("'", "&#39;") in page


def test_rows_of_a_model_that_writes(llama: Path, tmp_path: Path) -> None:
    write_rows(tmp_path / "train.jsonl", task_rows(Task.INSTRUCT, 40))
    write_rows(tmp_path / "test.jsonl", task_rows(Task.INSTRUCT, 8, seed=9))
    there = Place(tmp_path, Store.open(folder=tmp_path / "home"), llama)
    result = there.run({"task": "instruct"})
    (one,) = answered(there, result.run, by="datainf")["explanations"]  # type: ignore[misc]
    assert one["learned_from"]["near"][0]["label"]


def test_doubtful_labels_become_a_list_that_can_be_labelled(place: Place) -> None:
    result = place.run({"train.max_steps": 6})
    told = api.mislabelled(result.run, place.store, rows=5)
    assert len(told["rows"]) == 5 and Path(told["work_list"]).is_file()
    suspicion = [row["suspicion"] for row in told["rows"]]
    assert suspicion == sorted(suspicion, reverse=True)
    lines = [json.loads(x) for x in Path(told["work_list"]).read_text().splitlines()]
    assert [line["row"] for line in lines] == [row["row"] for row in told["rows"]]
    out, given = place.folder / "labels.jsonl", place.folder / "answers.txt"
    given.write_text("a\nb\n", encoding="utf-8")
    home = ["--home", str(place.store.folder)]
    command = ["label", result.run, "--pool", told["work_list"], "--out", str(out)]
    done = CliRunner().invoke(app, [*command, "--answers", str(given), *home])
    assert done.exit_code == 0, done.output
    labelled = [json.loads(x) for x in out.read_text(encoding="utf-8").splitlines()]
    assert len(labelled) == 2 and {row["row"] for row in labelled} <= {r["row"] for r in lines}
    shown = CliRunner().invoke(app, ["explain", result.run, "--mislabelled", "--rows", "2", *home])
    assert shown.exit_code == 0 and "the most doubtful label first" in shown.output
    rows = ["explain", result.run, "--text", "loan", "--learned-from", "2", "--method", "gradient"]
    shown = CliRunner().invoke(app, [*rows, *home])
    assert shown.exit_code == 0 and "learned from:" in shown.output
    shown = CliRunner().invoke(app, ["explain", result.run, "--text", "loan", "--verify", *home])
    assert shown.exit_code != 0 and "--learned-from N" in shown.output + shown.stderr
