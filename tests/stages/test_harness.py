"""Tasks of lm-evaluation-harness on base and tuned, against numbers made by hand."""

from __future__ import annotations

import importlib.util
import json
import warnings
from pathlib import Path

import pytest
import torch

from luthier.core.errors import FixRecipe
from luthier.core.types import Task
from luthier.stages.parts.harness import run_harness
from tiny import Bench, make_bench, sentences

needs_package = pytest.mark.skipif(
    importlib.util.find_spec("lm_eval") is None,
    reason="the package lm-eval is not installed: pip install 'luthier[harness]'",
)
CHOICES = list("xyzwjqv")
QUESTIONS = sentences(12)


def _task(folder: Path, answers: list[int]) -> Path:
    rows = folder / "rows.jsonl"
    asked = [
        {"question": question, "choices": CHOICES, "answer": answer}
        for question, answer in zip(QUESTIONS, answers, strict=True)
    ]
    rows.write_text("".join(json.dumps(row) + "\n" for row in asked))
    file = folder / "pick.yaml"
    file.write_text(
        "task: pick_the_word\ndataset_path: json\n"
        f"dataset_kwargs:\n  data_files:\n    test: {rows}\n"
        "test_split: test\noutput_type: multiple_choice\n"
        'doc_to_text: "{{question}}"\ndoc_to_choice: "{{choices}}"\ndoc_to_target: answer\n'
        'target_delimiter: ""\n'
        "metric_list:\n  - metric: acc\n    aggregation: mean\n    higher_is_better: true\n"
    )
    return file


def _picks(bench: Bench) -> list[int]:
    """The likeliest continuation of each question."""
    picks = []
    for question in QUESTIONS:
        known = bench.base.tokenizer(question, add_special_tokens=False).input_ids
        told = []
        for choice in CHOICES:
            ids = bench.base.tokenizer(question + choice, add_special_tokens=False).input_ids
            with torch.no_grad():
                logits = bench.network.model(input_ids=torch.tensor([ids])).logits[0]
            chances = logits.log_softmax(-1)[range(len(ids) - 1), ids[1:]]
            told.append(float(chances[len(known) - 1 :].sum()))
        picks.append(told.index(max(told)))
    return picks


@needs_package
def test_a_local_task_measures_base_and_tuned(
    llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    bench = make_bench(llama, Task.INSTRUCT)
    bench.network.mode(False, False)
    base = _picks(bench)
    torch.manual_seed(1)
    for name, parameter in bench.network.model.named_parameters():
        if "lora_B" in name:
            parameter.data.normal_(0.0, 1.0)
    tuned = _picks(bench)
    same = sum(one == other for one, other in zip(base, tuned, strict=True)) / len(base)
    assert same < 1
    file = _task(tmp_path, answers=base)
    with warnings.catch_warnings():
        # What the harness and its packages warn of is theirs.
        warnings.simplefilter("ignore")
        found = run_harness(bench.network, bench.base, [str(file)])
    wanted = {"pick_the_word/acc base": 1.0, "pick_the_word/acc tuned": same}
    assert found == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [(None, "there is no file .*pick.yaml"), ("output_type: generate_until\n", "names no task")],
)
@needs_package
def test_a_file_that_is_no_task_is_named(
    llama: Path, tmp_path: Path, text: str | None, complaint: str
) -> None:
    file = tmp_path / "pick.yaml"
    if text is not None:
        file.write_text(text)
    bench = make_bench(llama, Task.INSTRUCT)
    with pytest.raises(FixRecipe, match=complaint):
        run_harness(bench.network, bench.base, [str(file)])
