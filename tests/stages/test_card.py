"""The card of a kept model tells the truth, is valid metadata, and its lines open the model."""

from __future__ import annotations

import ast
import contextlib
import io
import re
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import ModelCard
from stage_place import Place, is_whole, write_rows

from luthier.core.types import Task
from luthier.stages import api
from luthier.stages.parts.card import front_matter, said
from luthier.stages.parts.loading import FOLDER, TEXT, Opening, snippet
from luthier.store.store import Store
from tiny import task_rows

CASES: dict[str, dict[str, Any]] = {
    "classify": {},
    "classify by a causal model": {"causal": True},
    "classify full": {"adapter.kind": "full", "train.learning_rate": 1e-3},
    "classify none": {"adapter.kind": "none"},
    "multilabel": {},
    "regress": {},
    "tag": {},
    "instruct": {},
    "instruct ia3": {"adapter.kind": "ia3"},
    "prefer": {},
    "adapt": {},
    "adapt an encoder": {"masked": True},
}


@pytest.fixture(params=list(CASES))
def made(
    request: pytest.FixtureRequest, bert: Path, llama: Path, masked_bert: Path, tmp_path: Path
) -> tuple[Place, api.RunResult]:
    """A run of each kind."""
    task, changes = Task(request.param.split()[0]), dict(CASES[request.param])
    causal = changes.pop("causal", False) or task.generates
    model = masked_bert if changes.pop("masked", False) else llama if causal else bert
    rows = task_rows(task, 48)
    write_rows(tmp_path / "train.jsonl", rows[:40])
    write_rows(tmp_path / "test.jsonl", rows[40:])
    place = Place(tmp_path, Store.open(folder=tmp_path / "home"), model)
    more = {"task": task.value, "evaluate.max_new_tokens": 64, "evaluate.generate_rows": 1}
    return place, place.run(more | changes)


def _printed(text: str, folder: Path, asked: str) -> str:
    """What the card's Python lines print."""
    (block,) = re.findall(r"^```python\n(.*?)^```", text, re.S | re.M)
    block = block.replace(FOLDER, str(folder)).replace(TEXT, asked)
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(block, "card", "exec"), {})
    return out.getvalue().strip()


def test_the_lines_of_the_card_answer_as_the_run_does(made: tuple[Place, api.RunResult]) -> None:
    place, result = made
    text = (result.path / "model" / "README.md").read_text(encoding="utf-8")
    asked = "the bank pays a card fee today"
    printed = _printed(text, result.path / "model", asked)
    if result.task == "adapt":
        # Raw text is continued as it is; `predict` takes it for a question.
        assert printed
        return
    row = {"prompt" if Task(result.task).generates else "text": asked}
    (answer,) = api.predict(result.run, [row], place.store)
    if "response" in answer:
        assert printed == answer["response"]
    elif "spans" in answer:
        marked = [tag for _, tag in ast.literal_eval(printed) if tag.startswith("B-")]
        assert {tag[2:] for tag in marked} <= {name for _, _, name in answer["spans"]}
    elif result.task == "regress":
        assert float(printed) == pytest.approx(answer["label"], abs=1e-3)
    else:
        assert printed == str(answer["labels"] if "labels" in answer else answer["label"])


def test_the_card_is_valid_and_says_what_was_measured(made: tuple[Place, api.RunResult]) -> None:
    place, result = made
    text = (result.path / "model" / "README.md").read_text(encoding="utf-8")
    found = ModelCard(text, ignore_metadata_errors=False).data
    adapted = (result.path / "model" / "adapter").is_dir()
    assert found.library_name == ("peft" if adapted else "transformers")
    assert result.task in found.tags and "luthier" in found.tags
    tuned = result.metrics["tuned"]
    assert len(found.eval_results) == len(tuned) > 0
    values = sorted(round(value, 6) for value in tuned.values())
    assert sorted(e.metric_value for e in found.eval_results) == values
    facts = place.store.find(result.run).facts
    for part in (facts["data_hash"], facts["base_hash"][:16], result.run, "8 unseen rows"):
        assert part in text
    assert str(place.folder / "train.jsonl") not in text
    assert "More Information Needed" not in text
    if adapted:
        assert (result.path / "model" / "adapter" / "README.md").read_text("utf-8") == text
    assert is_whole(place.store.find(result.run))


def test_findings_become_limits(place: Place) -> None:
    rows = [{"text": f"no {i} {'x' * i}", "label": "a"} for i in range(40)]
    rows += [{"text": f"yes {i} {'y' * i}", "label": "b|<script>"} for i in range(3)]
    test = [{"text": "maybe so", "label": "a"}, {"text": "yes now", "label": "b|<script>"}]
    write_rows(place.folder / "train.jsonl", rows)
    write_rows(place.folder / "test.jsonl", test)
    result = place.run({"model.max_tokens": 16})
    text = (result.path / "model" / "README.md").read_text(encoding="utf-8")
    limits = text.split("## Use and limits")[1].split("## Open it")[0]
    assert "times as frequent as" in limits
    assert "rows are longer than 16 tokens" in limits
    assert "<script>" not in text.split("---")[2]


@pytest.mark.parametrize(
    ("base", "told"),
    [
        ("embedded:encoder", "sentence-transformers/all-MiniLM-L6-v2"),
        ("Qwen/Qwen3-0.6B", "Qwen/Qwen3-0.6B"),
        ("embedded:causal", None),
        ("/somewhere/private/model", None),
    ],
)
def test_only_a_base_the_hub_knows_is_named(base: str, told: str | None, made_report: Any) -> None:
    opening = Opening(base, "encoder", Task.CLASSIFY, "lora", "mean", 64)
    assert front_matter(opening, made_report, "rows.csv").get("base_model") == told


@pytest.fixture
def made_report() -> Any:
    """A report without numbers."""
    from luthier.stages.page.data import ReportData

    return ReportData("t", "r", "today", "classify", "m", "LoRA", "accuracy", {"test": 1})


@pytest.mark.parametrize("base", ["embedded:encoder", "embedded:causal"])
def test_an_embedded_base_is_found(base: str) -> None:
    task = Task.CLASSIFY if base == "embedded:encoder" else Task.INSTRUCT
    kind: Any = "encoder" if task is Task.CLASSIFY else "causal"
    lines = snippet(Opening(base, kind, task, "lora", "mean", 64)).splitlines()
    found: dict[str, Any] = {}
    exec("\n".join(line for line in lines if "import " in line or line.startswith("base =")), found)
    assert (Path(found["base"]) / "config.json").is_file()


def test_text_of_users_stays_in_its_line() -> None:
    assert said("a|b\n<b> `c`") == "a\\|b &lt;b> 'c'"
