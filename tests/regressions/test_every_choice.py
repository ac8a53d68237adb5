"""Every key of the recipe that speaks of training changes what is trained, and every method that
the README names is reached by a whole run."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from luthier.core.hashing import hash_value
from luthier.core.progress import Silence
from luthier.core.types import Task
from luthier.recipe.load import recipe_from_dict
from luthier.recipe.model import Ia3, Lora
from luthier.recipe.train import Train
from luthier.stages import api
from luthier.stages.training import train
from luthier.stages.workshop import set_up
from luthier.store.store import Store
from tiny import task_rows

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
DEFAULT: Mapping[str, Any] = {
    "train.learning_rate": 3e-3, "train.max_steps": 6, "train.epochs": 9, "train.batch_size": 8,
    "train.validations": 2, "train.patience": None,
}  # fmt: skip
CHOICES: Mapping[str, tuple[str, Any]] = {
    "train.learning_rate": ("instruct", 1e-3),
    "train.max_steps": ("instruct", 5),
    "train.batch_size": ("instruct", 16),
    "train.seed": ("instruct", 1),
    "train.head_rate": ("classify", 3.0),
    "train.probe_start": ("classify", 1.0),
    "train.objective": ("prefer", "orpo"),
    "train.schedule.kind": ("instruct", "cosine"),
    "train.schedule.warmup": ("instruct", 0.5),
    "train.schedule.decay": ("instruct", 0.9),
    "train.schedule.floor": ("instruct", 0.5),
    "train.optimizer.kind": ("instruct", "lion"),
    "train.optimizer.weight_decay": ("instruct", 0.5),
    "train.optimizer.betas": ("instruct", [0.5, 0.9]),
    "train.optimizer.epsilon": ("instruct", 1e-2),
    "train.optimizer.clip_norm": ("instruct", 1e-2),
    "adapter.kind": ("instruct", "ia3"),
    "adapter.rank": ("instruct", 4),
    "adapter.alpha": ("instruct", 8.0),
    "adapter.dropout": ("instruct", 0.5),
    "adapter.b_rate": ("instruct", 4.0),
    "adapter.targets": ("instruct", ["q_proj"]),
    "adapter.top_layers": ("instruct", 1),
    "adapter.rank_stabilised": ("instruct", True),
    "adapter.decomposed": ("instruct", True),
}
ELSEWHERE = {
    "train.epochs": "max_steps is the limit here; tests/regressions/test_default_length.py",
    "train.micro_batch": "changes memory and never the result; tests/laws/test_accumulation.py",
    "train.patience": "stops and does not steer; tests/laws/test_resume.py",
    "train.validations": "looks and does not steer; tests/laws/test_resume.py",
    "train.stack": "comes after training; tests/stages/test_stack_flow.py",
    "adapter.feedforward": "of IA3; tests/families/test_adapters.py",
}
NAMED: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "LoRA": ("instruct", {}),
    "rsLoRA": ("instruct", {"adapter.rank_stabilised": True}),
    "DoRA": ("instruct", {"adapter.decomposed": True}),
    "IA3": ("instruct", {"adapter.kind": "ia3"}),
    "full fine-tuning": ("instruct", {"adapter.kind": "full"}),
    "output layer only": ("classify", {"adapter.kind": "none"}),
    "DPO": ("prefer", {"train.objective": "dpo"}),
    "ORPO": ("prefer", {"train.objective": "orpo"}),
}
KNOWN_METHODS = re.compile(
    r"\b(?:[A-Za-z]*LoRA\+?|DoRA|VeRA|IA3|[A-Z]*[DKIO]PO|GRPO|PPO|SFT|RLHF)\b"
)


def nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Dotted keys as sections."""
    content: dict[str, Any] = {}
    for key, value in flat.items():
        *sections, name = key.split(".")
        inner = content
        for section in sections:
            inner = inner.setdefault(section, {})
        inner[name] = value
    return content


def keys(section: type[BaseModel], name: str) -> set[str]:
    """The dotted keys of a section and of those inside it."""
    found: set[str] = set()
    for key, field in section.model_fields.items():
        kind = field.annotation
        inner = isinstance(kind, type) and issubclass(kind, BaseModel)
        found |= keys(kind, f"{name}.{key}") if inner else {f"{name}.{key}"}  # type: ignore[arg-type]
    return found


def content(task: str, changes: Mapping[str, Any], folder: Path, model: Path) -> dict[str, Any]:
    """A recipe whose rows lie in `folder`."""
    rows = task_rows(Task(task), 48)
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "rows.jsonl").write_text(lines, encoding="utf-8")
    given = {
        "task": task, "data.train": "rows.jsonl", "model.id": str(model),
        "model.precision": "float32", "evaluate.draws": 100, "evaluate.forgetting": False,
        "evaluate.generate_rows": 2, "evaluate.max_new_tokens": 4,
    }  # fmt: skip
    return nested(given | DEFAULT | dict(changes))


@pytest.fixture(scope="module")
def trained(bert: Path, llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What a training leaves behind, as a hash of its losses and last parameters."""
    known: dict[str, str] = {}

    def work(task: str, changes: Mapping[str, Any]) -> str:
        key = hash_value([task, dict(changes)])
        if key not in known:
            folder = tmp_path_factory.mktemp("choice")
            model = bert if task == "classify" else llama
            recipe = recipe_from_dict(content(task, changes, folder, model))
            state = train(set_up(recipe, folder, folder, None, Silence()), Silence()).state
            losses = [value for _, name, value in state.curve if name == "loss"]
            tensors = {n: t.double().sum().item() for n, t in state.snapshot().items()}
            known[key] = hash_value([losses, tensors])
        return known[key]

    return work


@pytest.mark.parametrize("key", CHOICES)
def test_a_choice_changes_what_is_trained(key: str, trained: Any) -> None:
    task, value = CHOICES[key]
    assert trained(task, {key: value}) != trained(task, {})


def test_the_same_choices_train_the_same(trained: Any) -> None:
    assert trained("instruct", {}) == trained("instruct", {"train.seed": 0})


def test_every_key_is_tried_or_has_a_test_elsewhere() -> None:
    told = keys(Train, "train") | keys(Lora, "adapter") | keys(Ia3, "adapter")
    assert told == CHOICES.keys() | ELSEWHERE.keys()
    assert CHOICES.keys().isdisjoint(ELSEWHERE)
    for reason in ELSEWHERE.values():
        assert (Path(__file__).parents[2] / reason.split("; ")[-1]).is_file()


def test_the_readme_names_what_is_tried_here() -> None:
    assert all(name in README for name in NAMED)
    assert set(KNOWN_METHODS.findall(README)) <= NAMED.keys()


@pytest.mark.parametrize("name", NAMED)
def test_a_method_of_the_readme_goes_through(
    name: str, bert: Path, llama: Path, tmp_path: Path
) -> None:
    task, changes = NAMED[name]
    model = bert if task == "classify" else llama
    recipe = recipe_from_dict(content(task, changes, tmp_path, model))
    ended = api.run(recipe, tmp_path, store=Store.open(folder=tmp_path / "home"))
    kept = ended.path / "model"
    adapter = kept / "adapter" / "adapter_config.json"
    found = json.loads(adapter.read_text(encoding="utf-8")) if adapter.is_file() else {}
    said = json.loads((ended.path / "recipe.json").read_text(encoding="utf-8"))
    shown = {
        "LoRA": found.get("peft_type") == "LORA" and not found.get("use_rslora"),
        "rsLoRA": found.get("use_rslora"),
        "DoRA": found.get("use_dora"),
        "IA3": found.get("peft_type") == "IA3",
        "full fine-tuning": (kept / "weights" / "model.safetensors").is_file(),
        "output layer only": (kept / "head.safetensors").is_file() and not found,
        "DPO": said["train"]["objective"] == "dpo",
        "ORPO": said["train"]["objective"] == "orpo",
    }
    assert shown[name] and ended.metrics["tuned"] and ended.metrics["base"]
