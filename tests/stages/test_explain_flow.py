"""Explanations from a run to its folder, and what is refused on the way."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.torch import load_file, save_file
from stage_place import Place, is_whole, write_rows

from luthier.core.errors import CheckRun, FixData, FixRecipe
from luthier.core.progress import Silence
from luthier.core.types import Task
from luthier.stages import api
from luthier.store.store import Store
from tiny import sentences, task_rows


class Seen(HTMLParser):
    """Words and addresses of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.text, self.addresses, self.scripts = "", [], 0

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.scripts += tag == "script"
        self.addresses += [v or "" for k, v in attrs if k in ("src", "href")]


class Heard(Silence):
    """What was said on the way."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, message: str) -> None:
        self.lines.append(message)


def test_a_run_is_explained(place: Place) -> None:
    changes = {"data.split.validation": 0.4, "train.max_steps": 12}
    result = place.run(changes)
    texts = ["pay the <b>late</b> fee", "loan"]
    heard = Heard()
    told = api.explain(
        result.run, place.store, heard, texts=texts, level="engineer", attention=True
    )
    assert any("measured first, once" in line for line in heard.lines)
    kept = json.loads((result.path / "explain/explanations.json").read_text(encoding="utf-8"))
    assert kept == json.loads(json.dumps(told))
    gate = json.loads((result.path / "explain/gate.json").read_text(encoding="utf-8"))
    assert told["gate"] == gate and told["method"] == gate["chosen"]
    first, second = told["explanations"]
    assert first["words"][0]["word"] == "pay"
    assert "single word" in second["notes"][0]
    answers = list(api.predict(result.run, [{"text": t} for t in texts], place.store))
    for one, answer in zip(told["explanations"], answers, strict=True):
        assert next(iter(one["chances"])) == answer["label"]
        for edit in one["edits"]:
            (again,) = api.predict(result.run, [{"text": edit["text"]}], place.store)
            assert again["label"] == edit["answer"] != answer["label"]
    page = Seen()
    page.feed(Path(told["page"]).read_text(encoding="utf-8"))
    assert "<b>late</b>" in page.text and "It is not an explanation" in page.text
    # Scores are text, for those who cannot point at a word.
    for word in first["words"]:
        assert f"{word['score']:+.3f}" in page.text
    assert page.scripts == 0 and all(a.startswith("data:") for a in page.addresses)
    assert is_whole(place.store.find(result.run))
    # What was measured once is not measured again.
    (result.path / "explain/gate.json").write_text(json.dumps(gate | {"texts": 77}))
    heard = Heard()
    again = api.explain(result.run, place.store, heard, texts=["loan card"], method="gradient")
    assert heard.lines == []
    assert again["gate"]["texts"] == 77 and again["method"] == "gradient"
    assert "not for which answer" in again["notes"][0]
    assert any("no better than random" in n for n in again["notes"]) == (
        "gradient" in gate["failed"]
    )


def test_a_model_that_writes_is_explained(llama: Path, tmp_path: Path) -> None:
    write_rows(tmp_path / "train.jsonl", task_rows(Task.INSTRUCT, 40))
    write_rows(tmp_path / "test.jsonl", task_rows(Task.INSTRUCT, 8, seed=9))
    there = Place(tmp_path, Store.open(folder=tmp_path / "home"), llama)
    result = there.run({"task": "instruct"})
    told = api.explain(result.run, there.store, texts=["pay the late fee"], method="occlusion")
    (one,) = told["explanations"]
    assert [w["word"] for w in one["words"]] == ["pay", "the", "late", "fee"]
    assert len(one["by_token"]) == len(one["tokens"])
    for option in ("label", "against"):
        with pytest.raises(CheckRun, match="task is instruct"):
            api.explain(result.run, there.store, texts=["loan"], **{option: "a"})


def test_what_cannot_be_explained_is_refused(place: Place) -> None:
    result = place.run()
    run, store = result.run, place.store
    with pytest.raises(FixData, match="empty"):
        api.explain(run, store, texts=["  "])
    with pytest.raises(FixData, match="not seen in training"):
        api.explain(run, store, texts=["loan"], label="aa")
    with pytest.raises(FixRecipe, match="did you mean 'rollout'"):
        api.explain(run, store, texts=["loan"], method="rolout")
    with pytest.raises(FixRecipe, match="customer"):
        api.explain(run, store, texts=["loan"], level="client")
    with pytest.raises(CheckRun):
        api.explain("no-such-run", store, texts=["loan"])
    write_rows(place.folder / "other.jsonl", [{"words": "loan"}])
    with pytest.raises(FixData, match="no column 'text'"):
        api.explain(run, store, data="other.jsonl", base_folder=place.folder)
    write_rows(place.folder / "other.jsonl", [{"text": "loan", "label": "x"}, {"text": "card"}])
    told = api.explain(run, store, data="other.jsonl", base_folder=place.folder, method="gradient")
    assert [one["label"] for one in told["explanations"]] == ["x", None]
    long = " ".join(sentences(40))
    told = api.explain(run, store, texts=[long], method="gradient")
    assert "tokens were not read" in told["explanations"][0]["notes"][0]
    # Too few validation rows to measure anything: that is said, not hidden.
    assert told["gate"] is None and "not measured" in told["notes"][0]


def test_one_class_is_set_against_another(place: Place) -> None:
    result = place.run()

    def told(**asked: str) -> dict[str, Any]:
        found = api.explain(
            result.run, place.store, texts=["pay the late fee"], method="occlusion", **asked
        )
        (one,) = found["explanations"]
        return one

    first, second, *_ = told()["chances"]
    ways = {"one": told(against=second), "other": told(label=second, against=first)}
    scores = {n: np.asarray([w["score"] for w in one["words"]]) for n, one in ways.items()}
    np.testing.assert_allclose(scores["one"], -scores["other"], atol=1e-6)
    assert (ways["one"]["target"], ways["one"]["against"]) == (first, second)
    itself = told(against=first)
    assert itself["against"] is None and "itself" in itself["notes"][-1]
    page = (result.path / "explain/explanations.html").read_text(encoding="utf-8")
    assert "itself" in page
    with pytest.raises(FixData, match="against itself"):
        told(label=first, against=first)
    with pytest.raises(FixData, match="not seen in training"):
        told(against="aa")


def test_errors_are_explained_with_their_true_label(place: Place) -> None:
    result = place.run()
    told = api.explain(result.run, place.store, errors=True, rows=2, method="gradient")
    assert 1 <= len(told["explanations"]) <= 2
    for one in told["explanations"]:
        assert one["label"] != next(iter(one["chances"]))
        lines = (place.folder / one["file"]).read_text(encoding="utf-8").splitlines()
        assert json.loads(lines[one["row"] - 1])["text"] == one["text"]
    assert f"{one['file']}, row {one['row']}" in Path(told["page"]).read_text(encoding="utf-8")
    wrong = re.search(r"(\d+) of (\d+) test rows were answered wrongly", " ".join(told["notes"]))
    assert wrong is not None
    count = int(wrong[1])
    assert len(told["explanations"]) == min(2, count) and 1 <= count <= int(wrong[2])
    assert ("--rows takes more" in " ".join(told["notes"])) == (count > 2)


@pytest.mark.parametrize("task", [Task.CLASSIFY, Task.INSTRUCT])
def test_scores_that_are_no_numbers_are_refused(
    task: Task, bert: Path, llama: Path, tmp_path: Path
) -> None:
    write_rows(tmp_path / "train.jsonl", task_rows(task, 40))
    write_rows(tmp_path / "test.jsonl", task_rows(task, 8, seed=9))
    model = bert if task is Task.CLASSIFY else llama
    there = Place(tmp_path, Store.open(folder=tmp_path / "home"), model)
    result = there.run({"task": task.value})
    file = result.path / "model/adapter/adapter_model.safetensors"
    tensors = load_file(str(file))
    name = next(n for n in tensors if "lora_B" in n)
    tensors[name] = tensors[name] * float("nan")
    save_file(tensors, str(file))
    with pytest.raises(CheckRun, match="not finite numbers"):
        api.explain(result.run, there.store, texts=["pay the late fee"])
    assert not (result.path / "explain/gate.json").exists()
    if task is Task.CLASSIFY:
        with pytest.raises(CheckRun, match="are not finite numbers"):
            api.mislabelled(result.run, there.store)
