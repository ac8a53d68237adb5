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
ROWS = [
    {"question": text, "choices": [" today", " money back", " no cough"], "answer": i % 3}
    for i, text in enumerate(sentences(12))
]


def _task(folder: Path) -> Path:
    rows = folder / "rows.jsonl"
    rows.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    file = folder / "pick.yaml"
    file.write_text(
        "task: pick_the_word\ndataset_path: json\n"
        f"dataset_kwargs:\n  data_files:\n    test: {rows}\n"
        "test_split: test\noutput_type: multiple_choice\n"
        'doc_to_text: "{{question}}"\ndoc_to_choice: "{{choices}}"\ndoc_to_target: answer\n'
        "metric_list:\n  - metric: acc\n    aggregation: mean\n    higher_is_better: true\n"
    )
    return file


def _accuracy(bench: Bench) -> float:
    """The share of rows whose right continuation is the likeliest."""
    right = 0
    for row in ROWS:
        known = bench.base.tokenizer(row["question"], add_special_tokens=False).input_ids
        told = []
        for choice in row["choices"]:  # type: ignore[attr-defined]
            text = f"{row['question']}{choice}"
            ids = bench.base.tokenizer(text, add_special_tokens=False).input_ids
            with torch.no_grad():
                logits = bench.network.model(input_ids=torch.tensor([ids])).logits[0]
            chances = logits.log_softmax(-1)[range(len(ids) - 1), ids[1:]]
            told.append(float(chances[len(known) - 1 :].sum()))
        right += told.index(max(told)) == row["answer"]
    return right / len(ROWS)


@needs_package
def test_a_local_task_measures_base_and_tuned(
    llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    bench = make_bench(llama, Task.INSTRUCT)
    bench.network.mode(False, False)
    wanted = {"pick_the_word/acc base": _accuracy(bench)}
    torch.manual_seed(1)
    for name, parameter in bench.network.model.named_parameters():
        if "lora_B" in name:
            parameter.data.normal_(0.0, 0.5)
    wanted["pick_the_word/acc tuned"] = _accuracy(bench)
    assert len(set(wanted.values())) == 2
    with warnings.catch_warnings():
        # What the harness and its packages warn of is theirs.
        warnings.simplefilter("ignore")
        found = run_harness(bench.network, bench.base, [str(_task(tmp_path))])
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
