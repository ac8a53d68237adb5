"""An encoder run without padding gives the same hidden states and the same gradients."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import transformers
from torch import Tensor

from luthier.models.layers import find_stack, run_prefix, upper_part
from luthier.models.unpadded import rows_of, rows_without_padding, run_rows
from tiny import bert_config, llama_config, random_model

KINDS = {
    "Bert": {},
    "Electra": {"embedding_size": 16},
    "Roberta": {"pad_token_id": 1},
    "XLMRoberta": {"pad_token_id": 1},
    "Camembert": {"pad_token_id": 1},
}
LENGTHS = (5, 12, 3, 5, 9)


def _model(kind: str, **changes: Any) -> Any:
    given = bert_config().to_dict()
    shape = {k: given[k] for k in given if k.endswith("size") or k.startswith(("num_", "max_"))}
    return random_model(getattr(transformers, f"{kind}Config")(**(shape | changes)), causal=False)


def _batch(pad: int = 0) -> tuple[Tensor, Tensor]:
    torch.manual_seed(1)
    ids = torch.randint(5, 300, (len(LENGTHS), max(LENGTHS)))
    mask = (torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS)[:, None]).long()
    return ids.masked_fill(mask == 0, pad), mask


def _gradients(model: Any, hidden: Tensor, mask: Tensor) -> dict[str, Tensor]:
    model.zero_grad()
    weights = torch.linspace(0.1, 1.0, hidden.numel()).view_as(hidden)
    (hidden * weights * mask[..., None]).square().sum().backward()
    return {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("kind", KINDS)
def test_same_hidden_states_and_gradients(kind: str) -> None:
    model = _model(kind, **KINDS[kind])
    ids, mask = _batch(int(model.config.pad_token_id))
    rows = rows_without_padding(model, mask)
    assert rows is not None
    assert rows.runs == ((1, 3), (2, 5), (1, 9), (1, 12))
    padded = model(input_ids=ids, attention_mask=mask).last_hidden_state
    before = _gradients(model, padded, mask)
    flat = run_rows(model, rows, ids)
    after = _gradients(model, flat, mask)
    torch.testing.assert_close(flat[mask > 0], padded[mask > 0], atol=1e-5, rtol=1e-5)
    assert not flat[mask == 0].any()
    assert before.keys() == after.keys()
    for name in before:
        scale = float(before[name].abs().max())
        torch.testing.assert_close(after[name], before[name], atol=1e-5 * (1 + scale), rtol=1e-4)
    assert model.config._attn_implementation == "sdpa"


def test_same_above_a_cut() -> None:
    model = _model("Bert")
    ids, mask = _batch()
    stack = find_stack(model)
    given = run_prefix(model, stack, 1, ids, mask)
    top = upper_part(model, stack, 1)
    rows = rows_without_padding(top, mask)
    assert rows is not None
    with torch.no_grad():
        padded = top(inputs_embeds=given, attention_mask=mask).last_hidden_state
        flat = run_rows(top, rows, given)
    torch.testing.assert_close(flat[mask > 0], padded[mask > 0], atol=1e-5, rtol=1e-5)


def test_a_failure_leaves_the_usual_attention() -> None:
    model = _model("Bert")
    ids, mask = _batch()
    rows = rows_of(mask)
    assert rows is not None
    with pytest.raises(IndexError):
        run_rows(model, rows, ids + 10_000)
    assert model.config._attn_implementation == "sdpa"


@pytest.mark.parametrize(
    "mask",
    [[[1, 1], [1, 1]], [[0, 1], [1, 1]], [[1, 0, 1], [1, 1, 1]], [[0, 0], [1, 1]]],
    ids=["no padding", "padding on the left", "a hole", "a row without tokens"],
)
def test_other_masks_go_the_usual_way(mask: list[list[int]]) -> None:
    assert rows_of(torch.tensor(mask)) is None


def test_other_models_go_the_usual_way() -> None:
    _, mask = _batch()
    decoder = random_model(llama_config(), causal=False)
    assert rows_without_padding(decoder, mask) is None
    eager = _model("Bert")
    eager.set_attn_implementation("eager")
    assert rows_without_padding(eager, mask) is None
    assert rows_without_padding(_model("Bert"), None) is None
    assert rows_without_padding(_model("Bert", is_decoder=True), mask) is None
