"""Bad input: the right class of error with place, cause and next step; earlier runs untouched."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from stage_place import Place, is_whole, write_rows

from luthier.core.errors import (
    CheckRun,
    FixData,
    FixModel,
    FixRecipe,
    InstallExtra,
    LowerMemory,
    LuthierError,
)
from luthier.core.types import Task
from luthier.models.heads.classify import ClassifyHead
from luthier.recipe.load import load_recipe
from luthier.stages import api, evaluation
from luthier.store.store import Store
from tiny import CHATML, TURN_MARKS, make_tokenizer, task_rows


@pytest.fixture(scope="module")
def earlier(bert: Path, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A store with a finished run."""
    folder = tmp_path_factory.mktemp("earlier")
    rows = task_rows(Task.CLASSIFY, 48)
    write_rows(folder / "train.jsonl", rows[:40])
    write_rows(folder / "test.jsonl", rows[40:])
    place = Place(folder, Store.open(folder=folder / "home"), bert)
    place.run()
    return place


@pytest.fixture
def place(earlier: Place, tmp_path: Path) -> Iterator[Place]:
    """Good files in a folder of their own, to be spoilt; the earlier run stays as it was."""
    for name in ("train.jsonl", "test.jsonl"):
        shutil.copy(earlier.folder / name, tmp_path / name)
    first = earlier.store.list(None)[-1]
    before = earlier.store.metrics(first.id)
    yield Place(tmp_path, earlier.store, earlier.model)
    assert is_whole(earlier.store.find(first.id))
    assert earlier.store.metrics(first.id) == before != []


def rows_with(place: Place, change: Callable[[int, dict[str, Any]], dict[str, Any]]) -> None:
    lines = (place.folder / "train.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [change(i, json.loads(line)) for i, line in enumerate(lines)]
    write_rows(place.folder / "train.jsonl", rows)


def test_a_missing_file(place: Place) -> None:
    error, _ = place.refused({"data.train": "trian.jsonl"})
    assert isinstance(error, FixData)
    assert "trian.jsonl" in error.place and "train.jsonl" in str(error)


@pytest.mark.parametrize("content", ["", "\n\n"])
def test_an_empty_file(place: Place, content: str) -> None:
    (place.folder / "train.jsonl").write_text(content, encoding="utf-8")
    error, _ = place.refused()
    assert isinstance(error, FixData) and "train.jsonl" in error.place


def test_a_wrong_encoding(place: Place) -> None:
    text = "text,label\n" + "".join(f"Grüße aus Köln Nummer {i},{'ab'[i % 2]}\n" for i in range(30))
    (place.folder / "rows.csv").write_bytes(text.encode("latin-1"))
    error, _ = place.refused({"data.train": "rows.csv"})
    assert isinstance(error, FixData)
    assert "rows.csv" in error.place and "encoding" in error.advice


def test_a_column_that_is_not_there(place: Place) -> None:
    error, _ = place.refused({"data.columns.label": "lable"})
    assert isinstance(error, FixData)
    assert error.place == "data.columns.label" and "'lable'" in error.met
    assert "Did you mean 'label'?" in str(error)


def test_one_class_only(place: Place) -> None:
    rows_with(place, lambda i, row: row | {"label": "a"})
    error, _ = place.refused({"data.test": None})
    assert isinstance(error, FixData) and "train.jsonl" in error.place and "a" in error.met


def test_a_label_seen_only_in_test(place: Place) -> None:
    rows = task_rows(Task.CLASSIFY, 48)[40:]
    write_rows(place.folder / "test.jsonl", [*rows[:-1], rows[-1] | {"label": "unheard"}])
    error, _ = place.refused()
    assert isinstance(error, FixData) and "unheard" in str(error)


def test_rows_with_only_a_prompt(place: Place, llama: Path) -> None:
    rows_with(place, lambda i, row: {"prompt": row["text"]})
    changes = {"model.id": str(llama), "data.test": None}
    error, _ = place.refused(changes | {"task": "instruct"})
    assert isinstance(error, FixData) and "response" in str(error)
    error, _ = place.refused(changes | {"task": "auto"})
    assert isinstance(error, FixData) and "only prompts" in error.met


def test_most_rows_without_a_response(place: Place) -> None:
    rows_with(place, lambda i, row: {"prompt": row["text"], "response": "yes" if i % 4 else ""})
    error, _ = place.refused({"task": "instruct", "data.test": None})
    assert isinstance(error, FixData) and "row 1" in error.place and "response" in error.met


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("foreign")
    make_tokenizer(TURN_MARKS, template=CHATML).save_pretrained(str(folder))
    return folder


def _instruct(place: Place, llama: Path) -> dict[str, Any]:
    write_rows(place.folder / "train.jsonl", task_rows(Task.INSTRUCT, 40))
    return {"task": "instruct", "model.id": str(llama), "data.test": None}


def test_a_template_of_another_family(place: Place, llama: Path, foreign: Path) -> None:
    changes = _instruct(place, llama) | {"model.template_from": str(foreign)}
    error, _ = place.refused(changes)
    assert isinstance(error, FixModel)
    assert "<|im_start|>" in error.met and "model.template_from" in error.advice


def test_a_template_from_a_folder_without_one(place: Place, llama: Path, bert: Path) -> None:
    changes = _instruct(place, llama) | {"model.template_from": str(bert)}
    error, _ = place.refused(changes)
    assert isinstance(error, FixModel) and "template" in str(error)


def test_a_template_from_an_empty_folder(place: Place, llama: Path) -> None:
    (place.folder / "nothing").mkdir()
    changes = _instruct(place, llama) | {"model.template_from": str(place.folder / "nothing")}
    error, _ = place.refused(changes)
    assert isinstance(error, FixModel) and "model.template_from" in str(error)


def _cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-100])


def _spoil(file: Path) -> None:
    file.write_bytes(b"\xff" * 64 + file.read_bytes()[64:])


def _pickled_name(file: Path) -> None:
    file.with_name("pytorch_model.bin").write_bytes(pickle.dumps({"a": 1}))
    file.unlink()


def _pickled_content(file: Path) -> None:
    file.write_bytes(pickle.dumps({"a": 1}))


@pytest.mark.parametrize(
    ("damage", "word"),
    [
        (_cut, "cut off"),
        (_spoil, "damaged"),
        (_pickled_name, "pickle"),
        (_pickled_content, "pickle"),
    ],
)
def test_weights_that_are_not_safe(
    place: Place, bert: Path, damage: Callable[[Path], None], word: str
) -> None:
    copy = shutil.copytree(bert, place.folder / "model")
    damage(copy / "model.safetensors")
    error, _ = place.refused({"model.id": str(copy)})
    assert isinstance(error, FixModel)
    assert str(copy) in error.place and word in error.met and error.advice


@pytest.mark.parametrize(
    ("function", "where", "quantize"),
    [
        ("load_base", "loading the base model", "none"),
        ("load_base", "loading the base model", "4bit"),
        ("assemble", "attaching the adapter", "none"),
        ("planning.estimate", "the first forward pass", "none"),
    ],
)
def test_out_of_memory_while_setting_up(
    place: Place, monkeypatch: pytest.MonkeyPatch, function: str, where: str, quantize: str
) -> None:
    def full(*_: Any) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried 9 bytes")

    monkeypatch.setattr(f"luthier.stages.workshop.{function}", full)
    error, _ = place.refused({"model.quantize": quantize})
    assert isinstance(error, LowerMemory) and error.place == where
    size = (place.model / "model.safetensors").stat().st_size / 1e6
    size *= 0.6 / 4 if quantize == "4bit" else 1
    assert f"the weights alone take about {size:.1f} MB" in error.met and "MB of" in error.met
    assert ("model.quantize: 4bit" in error.advice) == (quantize == "none")
    assert "model.max_tokens" in error.advice


def test_out_of_memory_inside_the_loader_is_no_fault_of_the_model(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried 9 bytes")

    monkeypatch.setattr(transformers.AutoModel, "from_pretrained", full)
    error, _ = place.refused()
    assert isinstance(error, LowerMemory) and error.place == "loading the base model"


def test_out_of_memory_in_training(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise torch.OutOfMemoryError("no room")

    monkeypatch.setattr(ClassifyHead, "losses", full)
    error, record = place.refused()
    assert isinstance(error, LowerMemory) and error.place == "training"
    planned = json.loads((record.path / "plan.json").read_text(encoding="utf-8"))
    assert f"{planned['estimate']['memory_mb']:.0f} MB" in error.met
    for key in ("train.micro_batch=4", "model.max_tokens", "adapter.top_layers"):
        assert key in error.advice


def test_out_of_memory_in_the_last_evaluation(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried 9 bytes")

    with monkeypatch.context() as patched:
        patched.setattr(evaluation, "score_all", full)
        error, record = place.refused()
    assert isinstance(error, LowerMemory) and error.place == "the last evaluation"
    assert is_whole(place.store.find(api.resume(record.id, place.store).run))


def test_another_fault_of_the_engine_is_recorded(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("shapes differ")

    monkeypatch.setattr(ClassifyHead, "losses", broken)
    with pytest.raises(RuntimeError, match="shapes differ"):
        place.run()
    record = place.store.find("last")
    assert (record.status, record.reason) == ("failed", "RuntimeError: shapes differ")


def test_an_unknown_key(place: Place) -> None:
    count = len(place.store.list(None))
    file = place.folder / "recipe.yaml"
    file.write_text("data: {train: train.jsonl}\ntrain: {epoch: 3}\n", encoding="utf-8")
    for work in (api.run, api.plan, load_recipe):
        with pytest.raises(FixRecipe, match=r"line 2: .*'epoch'.*did you mean 'train.epochs'"):
            work(file)
    assert len(place.store.list(None)) == count


IMPOSSIBLE: list[tuple[dict[str, Any], type[LuthierError], str, str]] = [
    ({"evaluate.metric": "acuracy"}, FixRecipe, "evaluate.metric", "'accuracy'"),
    ({"evaluate.metric": "rougeL"}, FixRecipe, "evaluate.metric", "one of accuracy"),
    ({"evaluate.harness": ["x"]}, FixRecipe, "evaluate.harness", "causal"),
    ({"train.objective": "dpo"}, FixRecipe, "train.objective", "chosen"),
    ({"model.template_from": "x"}, FixRecipe, "model.template_from", "leave it out"),
    (
        {"adapter.kind": "full", "model.quantize": "4bit"},
        FixRecipe, "adapter.kind", "model.quantize: none",
    ),
    ({"fast.prefix_cache": "on"}, FixRecipe, "fast.prefix_cache", "adapter.top_layers"),
    ({"fast.pack": "on"}, FixRecipe, "fast.pack", "use auto"),
    ({"fast.chunked_loss": "on"}, FixRecipe, "fast.chunked_loss", "use auto"),
    (
        {"fast.fused_optimizer": "on", "train.optimizer.kind": "sgd"},
        FixRecipe, "fast.fused_optimizer", "AdamW",
    ),
    ({"model.max_tokens": 4000}, FixModel, "model.max_tokens", "at most 256"),
    ({"adapter.top_layers": 9}, FixRecipe, "adapter.top_layers", "3"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "kind", "where", "word"), IMPOSSIBLE)
def test_an_impossible_combination(
    place: Place, changes: dict[str, Any], kind: type[LuthierError], where: str, word: str
) -> None:
    error, _ = place.refused(changes)
    assert type(error) is kind and error.place == where
    assert word in str(error) and (error.allowed or error.advice or "causal" in error.met)
    with pytest.raises(kind):
        api.plan(place.recipe(changes), place.folder)


def test_nothing_to_train(place: Place, llama: Path) -> None:
    error, _ = place.refused(_instruct(place, llama) | {"adapter.kind": "none"})
    assert isinstance(error, FixRecipe) and error.place == "adapter.kind"
    assert "lora" in error.allowed


def test_the_harness_is_not_installed(
    place: Place, llama: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from luthier.stages import combinations

    monkeypatch.setattr(combinations.importlib.util, "find_spec", lambda name: None)
    error, _ = place.refused(_instruct(place, llama) | {"evaluate.harness": ["arc_easy"]})
    assert isinstance(error, InstallExtra) and "luthier[harness]" in error.advice


def test_a_metric_without_a_value_is_not_replaced(place: Place) -> None:
    rows = [row | {"label": 7.5} for row in task_rows(Task.REGRESS, 48)[40:]]
    write_rows(place.folder / "train.jsonl", task_rows(Task.REGRESS, 40))
    write_rows(place.folder / "check.jsonl", rows)
    error, _ = place.refused(
        {"task": "regress", "data.validation": "check.jsonl", "data.test": None}
        | {"evaluate.metric": "r2"}
    )
    assert isinstance(error, FixRecipe) and error.place == "evaluate.metric"
    assert "'r2'" in error.met and "validation" in error.met and error.advice


def test_a_run_that_does_not_exist(place: Place) -> None:
    known = place.store.find("last").id
    almost = known[:-1] + ("0" if known[-1] != "0" else "1")
    for work in (
        lambda: api.resume(almost, place.store),
        lambda: list(api.predict(almost, [{"text": "a"}], place.store)),
        lambda: api.evaluate(almost, "test.jsonl", place.store),
    ):
        with pytest.raises(CheckRun) as caught:
            work()
        assert almost in str(caught.value) and caught.value.exit_code == 8


def test_a_run_without_a_model(place: Place) -> None:
    _, record = place.refused({"data.train": "none.jsonl"})
    with pytest.raises(CheckRun, match="it is failed"):
        list(api.predict(record.id, [{"text": "a"}], place.store))


def test_a_finished_run_is_not_resumed(place: Place, earlier: Place) -> None:
    with pytest.raises(CheckRun, match="it is finished"):
        api.resume(earlier.store.list(None)[-1].id, earlier.store)


@pytest.mark.parametrize("row", [{"txet": "a"}, {"text": "  "}, {}])
def test_a_row_without_its_input(earlier: Place, row: dict[str, Any]) -> None:
    run = earlier.store.list(None)[-1].id
    with pytest.raises(FixData, match="row 2"):
        list(api.predict(run, [{"text": "the bank"}, row], earlier.store))


def test_labels_that_training_never_saw_are_not_measured(place: Place, earlier: Place) -> None:
    write_rows(place.folder / "new.jsonl", [{"text": "the bank", "label": "unheard"}])
    with pytest.raises(FixData, match="unheard"):
        api.evaluate(
            earlier.store.list(None)[-1].id, "new.jsonl", place.store, base_folder=place.folder
        )
