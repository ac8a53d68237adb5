"""Running the frozen layers once per row changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from luthier.core.types import Task
from luthier.models.adapter import Adapter, lowest_trained
from luthier.models.adapters.full import FullParameters
from luthier.models.adapters.lora import LowRank
from luthier.models.layers import can_cut, find_stack, run_prefix, upper_part
from tiny import bert_config, furthest, llama_config, losses_of, make_bench, random_model

ADAPTERS: dict[str, Adapter] = {
    "lora-1": LowRank(rank=4, top_layers=1),
    "lora-2": LowRank(rank=4, top_layers=2),
    "full-1": FullParameters(top_layers=1),
}


@pytest.mark.parametrize("task", [Task.CLASSIFY, Task.TAG, Task.INSTRUCT, Task.PREFER])
@pytest.mark.parametrize("name", ADAPTERS)
def test_training_on_or_off(name: str, task: Task, bert: Path, llama: Path, tmp_path: Path) -> None:
    ends, curves = [], []
    for kept in (True, False):
        bench = make_bench(llama if task.generates else bert, task, ADAPTERS[name])
        below = lowest_trained(bench.adapter, bench.network.stack)
        hidden = bench.prefix(below, tmp_path) if kept else None
        reference = bench.reference() if task is Task.PREFER else None
        batches = bench.batches(hidden, reference)
        assert (batches.at(0).micro[0].hidden is not None) is kept
        state = bench.train(5, batches, kind="sgd", rate=0.05)
        ends.append(state.snapshot())
        curves.append(losses_of(state))
    assert furthest(*ends) < 1e-5
    assert curves[0] == pytest.approx(curves[1], abs=1e-5)


def _small(name: str, **changes: Any) -> Any:
    import transformers

    given = bert_config() if name in BERTS else llama_config()
    wanted = (
        "vocab_size hidden_size num_hidden_layers num_attention_heads intermediate_size "
        "max_position_embeddings" + ("" if name in BERTS else " num_key_value_heads")
    ).split()
    shape = {key: getattr(given, key) for key in wanted if "n_layers" not in changes} | changes
    return getattr(transformers, f"{name}Config")(**shape)


BERTS = ("Bert", "Roberta", "XLMRoberta", "Camembert", "Electra", "DistilBert")
CASES = {
    "bert": ("Bert", {}),
    "roberta": ("Roberta", {"pad_token_id": 1}),
    "camembert": ("Camembert", {"pad_token_id": 1}),
    "electra": ("Electra", {"embedding_size": 32}),
    "electra, narrow embeddings": ("Electra", {"embedding_size": 16}),
    "distilbert": ("DistilBert", {"dim": 32, "n_layers": 3, "n_heads": 4, "hidden_dim": 48}),
    "llama": ("Llama", {}),
    "mistral, sliding window": ("Mistral", {"sliding_window": 4}),
    "qwen2": ("Qwen2", {}),
    "qwen2, window in the upper layers": (
        "Qwen2",
        {"use_sliding_window": True, "sliding_window": 4, "max_window_layers": 2},
    ),
    "qwen3": ("Qwen3", {"head_dim": 8}),
    "smollm3": ("SmolLM3", {"pad_token_id": 0, "no_rope_layers": [1, 0, 1]}),
    "granite, scaled embeddings": ("Granite", {"embedding_multiplier": 3.0}),
}


@pytest.mark.parametrize("case", CASES)
def test_a_model_is_cut_equal_or_refused(case: str) -> None:
    kind, changes = CASES[case]
    model = random_model(_small(kind, **changes), causal=False)
    refused = can_cut(model)
    if refused is not None:
        assert case in ("electra, narrow embeddings", "granite, scaled embeddings") or (
            "window in the upper layers" in case
        ), refused
        return
    stack = find_stack(model)
    ids = torch.randint(3, 300, (2, 12), generator=torch.Generator().manual_seed(0))
    mask = torch.ones_like(ids)
    mask[1, 7:] = 0
    for below in (1, 2):
        with torch.no_grad():
            whole = model(input_ids=ids, attention_mask=mask).last_hidden_state
            given = run_prefix(model, stack, below, ids, mask)
            top = upper_part(model, stack, below)
            cut = top(inputs_embeds=given, attention_mask=mask).last_hidden_state
        torch.testing.assert_close(cut[0], whole[0], atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(cut[1, :7], whole[1, :7], atol=1e-5, rtol=1e-5)


def test_an_unproved_model_is_refused() -> None:
    from transformers import GPT2Config

    config = GPT2Config(vocab_size=99, n_embd=32, n_layer=2, n_head=2, n_positions=64)
    assert "not proved" in str(can_cut(random_model(config, causal=False)))
