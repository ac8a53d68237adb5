"""From a folder of text and an encoder with its head to an adapted encoder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from peft import PeftModel
from stage_place import Place, is_whole, write_rows
from transformers import AutoModelForMaskedLM
from typer.testing import CliRunner

from luthier.cli.main import app
from luthier.core.errors import CheckRun, FixModel, FixRecipe
from luthier.core.types import Task
from luthier.stages import api
from luthier.stages.api import RunResult
from luthier.store.store import Store
from tiny import task_rows

METRICS = {"masked_loss", "masked_perplexity", "masked_accuracy"}
CASES: dict[str, Mapping[str, Any]] = {
    "lora": {},
    "full": {"adapter.kind": "full", "train.learning_rate": 1e-3},
    "top": {"adapter.top_layers": 1},
    "ia3": {"adapter.kind": "ia3"},
}


def _place(model: Path, folder: Path) -> Place:
    rows = task_rows(Task.ADAPT, 48)
    write_rows(folder / "train.jsonl", rows[:40])
    write_rows(folder / "test.jsonl", rows[40:])
    return Place(folder, Store.open(folder=folder / "home"), model)


@pytest.fixture
def place(masked_bert: Path, tmp_path: Path) -> Place:
    return _place(masked_bert, tmp_path)


@pytest.fixture(scope="module", params=list(CASES))
def ran(
    request: pytest.FixtureRequest, masked_bert: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Place, RunResult]:
    place = _place(masked_bert, tmp_path_factory.mktemp("masked"))
    changes = {"task": "adapt", "evaluate.forgetting": True, **CASES[request.param]}
    return place, place.run(changes)


def test_base_and_tuned_are_measured_with_intervals(ran: tuple[Place, RunResult]) -> None:
    place, result = ran
    assert is_whole(place.store.find(result.run))
    found = result.metrics
    assert found["tuned"].keys() == found["interval"].keys() == METRICS
    assert found["base"].keys() >= METRICS
    assert found["difference"].keys() == METRICS
    for name, (low, high) in found["interval"].items():
        assert low <= found["tuned"][name] <= high
    assert found["forgetting"].keys() == {"general masked_loss base", "general masked_loss tuned"}
    assert found["tuned"]["masked_loss"] != found["base"]["masked_loss"]
    curve = place.store.curve(result.run)
    assert any(point.name == "validation masked_loss" for point in curve)
    planned = json.loads((result.path / "plan.json").read_text(encoding="utf-8"))
    assert planned["recipe"]["evaluate"]["metric"] == "masked_loss"


def test_another_measurement_of_the_test_rows_agrees(ran: tuple[Place, RunResult]) -> None:
    place, result = ran
    again = api.evaluate(result.run, "test.jsonl", place.store, base_folder=place.folder)
    assert again["metrics"] == pytest.approx(result.metrics["tuned"], abs=1e-4)


def test_answers_are_refused_with_what_to_do(ran: tuple[Place, RunResult]) -> None:
    place, result = ran
    with pytest.raises(CheckRun, match=r"gives no answers.*luthier eval .*AutoModelForMaskedLM"):
        list(api.predict(result.run, [{"text": "the fee"}], place.store))


def test_the_report_tells_of_hidden_tokens(ran: tuple[Place, RunResult]) -> None:
    _, result = ran
    text = result.report.read_text(encoding="utf-8")
    assert "on each hidden token of unseen text" in text
    assert "loss per hidden token of a fixed general text" in text
    assert "luthier predict" not in text


def test_others_open_what_was_kept(ran: tuple[Place, RunResult], masked_bert: Path) -> None:
    place, result = ran
    folder = result.path / "model"
    kind = place.store.find(result.run).recipe["adapter"]["kind"]
    if kind == "full":
        AutoModelForMaskedLM.from_pretrained(str(folder / "weights"))
        return
    plain = AutoModelForMaskedLM.from_pretrained(str(masked_bert))
    PeftModel.from_pretrained(plain, folder / "adapter")


def test_frozen_layers_are_not_kept_as_masks_change(ran: tuple[Place, RunResult]) -> None:
    _, result = ran
    planned = json.loads((result.path / "plan.json").read_text(encoding="utf-8"))
    legal = planned["legal"]
    assert not legal["prefix_cache"]["on"] and not legal["pack"]["on"]
    assert legal["chunked_loss"]["on"]
    assert any("others in each pass" in finding["message"] for finding in planned["findings"])


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("evaluate.metric", "bits_per_byte", "masked_loss"),
        ("evaluate.metric", "accuracy", "no metric of the task"),
        ("model.template_from", "embedded:causal", "no chat template"),
        ("adapter.kind", "none", "nothing to train"),
        ("fast.pack", "on", "reads its whole input"),
        ("fast.prefix_cache", "on", "not possible"),
    ],
)
def test_contradictions_are_refused(key: str, value: str, words: str, place: Place) -> None:
    changes = {"task": "adapt", key: value}
    if key == "fast.prefix_cache":
        changes["adapter.top_layers"] = "1"
    error, _ = place.refused(changes)
    assert isinstance(error, FixRecipe) and error.place == key
    assert words in str(error)


def test_a_causal_base_has_no_hidden_tokens(llama: Path, place: Place) -> None:
    changes = {"task": "adapt", "evaluate.metric": "masked_loss", "model.id": str(llama)}
    error, _ = place.refused(changes)
    assert "writes text" in str(error) and "bits_per_byte" in str(error)


def test_an_encoder_without_its_head_is_refused(bert: Path, place: Place) -> None:
    error, _ = place.refused({"task": "adapt", "model.id": str(bert)})
    assert isinstance(error, FixModel) and "cls.predictions" in str(error)


def test_a_folder_of_text_goes_all_the_way(
    masked_bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LUTHIER_HOME", str(tmp_path / "home"))
    (tmp_path / "manuals").mkdir()
    for number, row in enumerate(task_rows(Task.ADAPT, 40)):
        (tmp_path / "manuals" / f"{number:02}.txt").write_text(row["text"] + "\n")

    def call(*words: str) -> Any:
        ended = CliRunner().invoke(app, [*words, "--json"])
        assert ended.exit_code == 0, ended.output
        return json.loads(ended.stdout.splitlines()[-1])

    call("init", "manuals", "--task", "adapt", "--out", "recipe.yaml", "--yes")
    changes = (f"model.id={masked_bert}", "model.precision=float32", "train.max_steps=3")
    changes += ("train.batch_size=8", "evaluate.draws=100")
    planned = call("plan", "recipe.yaml", *changes)
    assert planned["recipe"]["evaluate"]["metric"] == "masked_loss"
    assert any(learnt for row in planned["masked"] for _, learnt in row)
    result = call("run", "recipe.yaml", *changes)
    assert result["task"] == "adapt"
    assert result["metrics"]["tuned"].keys() == METRICS
    refused = CliRunner().invoke(app, ["predict", result["run"], "the fee"])
    assert refused.exit_code != 0
