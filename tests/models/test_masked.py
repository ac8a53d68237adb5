"""Encoders with a masked-language-model head: which are taken, and the head on its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from peft import PeftModel
from safetensors.torch import load_file, save_file
from transformers import AutoModelForMaskedLM, AutoTokenizer

from luthier.core.errors import FixModel
from luthier.core.types import Task
from luthier.models.adapters.full import FullParameters
from luthier.models.adapters.lora import LowRank
from luthier.models.base import BaseSpec, load_base
from luthier.models.masked import before_output, why_whole
from tiny import Bench, bert_config, furthest, make_bench, save_masked

SHAPE = {
    "vocab_size": 320,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "max_position_embeddings": 66,
}
FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "bert": ("Bert", {}),
    "roberta": ("Roberta", {"pad_token_id": 1}),
    "electra": ("Electra", {"embedding_size": 16}),
    "albert": ("Albert", {"embedding_size": 16}),
    "mpnet": ("MPNet", {}),
    "deberta": ("DebertaV2", {}),
    "modernbert": ("ModernBert", {"pad_token_id": 0, "cls_token_id": 1, "sep_token_id": 2}),
    "distilbert": (
        "DistilBert",
        {"vocab_size": 320, "dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 48},
    ),
}


def _model(name: str) -> Any:
    family, changes = FAMILIES[name]
    shape = changes if "vocab_size" in changes else SHAPE | changes
    torch.manual_seed(0)
    config = getattr(transformers, f"{family}Config")(**shape)
    return AutoModelForMaskedLM.from_config(config).eval()


@pytest.mark.parametrize("name", FAMILIES)
def test_the_head_on_some_positions_equals_the_whole_model(name: str) -> None:
    model = _model(name)
    ids = torch.randint(5, 320, (3, 9), generator=torch.Generator().manual_seed(1))
    mask = torch.ones_like(ids)
    mask[1, 6:] = 0
    where = (torch.tensor([0, 0, 1, 2]), torch.tensor([2, 8, 3, 0]))
    with torch.no_grad():
        wanted = model(input_ids=ids, attention_mask=mask).logits[where]
        hidden = model.base_model(input_ids=ids, attention_mask=mask)[0][where]
        found = model.get_output_embeddings()(before_output(model, hidden))
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5)
    assert why_whole(model) is None


@pytest.mark.parametrize(
    "config",
    [
        transformers.MobileBertConfig(**SHAPE, embedding_size=16, intra_bottleneck_size=16),
        transformers.DebertaV2Config(**SHAPE, legacy=False),
    ],
    ids=lambda config: config.model_type,
)
def test_a_head_that_is_more_than_its_output_layer_is_noticed(config: Any) -> None:
    reason = why_whole(AutoModelForMaskedLM.from_config(config).eval())
    assert reason is not None and "head" in reason


def test_only_hidden_positions_meet_the_vocabulary(masked_bert: Path) -> None:
    bench = make_bench(masked_bert, Task.ADAPT)
    batch = bench.batches().collate(bench.all[:6])
    met: list[int] = []
    head: Any = bench.network.plain.cls.predictions.transform
    handle = head.register_forward_hook(lambda _, given, __: met.append(given[0].shape[-2]))
    bench.head.losses(bench.network, batch)
    handle.remove()
    assert batch.learn is not None
    assert met == [int(batch.learn.sum())]


def _refused(folder: Path) -> str:
    with pytest.raises(FixModel) as found:
        load_base(BaseSpec(str(folder)), Task.ADAPT)
    return str(found.value)


def test_an_encoder_without_its_head_is_refused(bert: Path) -> None:
    message = _refused(bert)
    assert "cls.predictions.transform.dense.weight" in message
    assert "embedded:causal" in message and "ForMaskedLM" in message


def test_the_embedded_encoder_has_no_head(embedded_encoder: Path) -> None:
    assert "cls.predictions" in _refused(embedded_encoder)


@pytest.mark.parametrize("lost", ["cls.predictions.bias", "cls.predictions.transform.dense.bias"])
def test_one_lost_weight_of_the_head_is_enough(
    lost: str, masked_bert: Path, tmp_path: Path
) -> None:
    for file in masked_bert.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    tensors = load_file(tmp_path / "model.safetensors")
    tied = {"cls.predictions.bias", "cls.predictions.decoder.bias"}
    gone = tied if lost in tied else {lost}
    kept = {n: t for n, t in tensors.items() if n not in gone}
    assert len(kept) < len(tensors)
    save_file(kept, tmp_path / "model.safetensors", metadata={"format": "pt"})
    assert lost in _refused(tmp_path)


def test_a_gap_below_the_head_is_told_as_such(masked_bert: Path, tmp_path: Path) -> None:
    for file in masked_bert.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    tensors = load_file(tmp_path / "model.safetensors")
    del tensors["bert.encoder.layer.1.output.dense.weight"]
    save_file(tensors, tmp_path / "model.safetensors", metadata={"format": "pt"})
    message = _refused(tmp_path)
    assert "bert.encoder.layer.1.output.dense.weight" in message and "copy the model" in message


def test_a_tied_decoder_is_not_missing(masked_bert: Path) -> None:
    names = load_file(masked_bert / "model.safetensors").keys()
    assert "cls.predictions.decoder.weight" not in names
    base = load_base(BaseSpec(str(masked_bert)), Task.ADAPT)
    assert base.kind == "masked" and base.masked and base.width == 32


def test_other_tasks_take_the_same_folder_as_a_plain_encoder(masked_bert: Path) -> None:
    base = load_base(BaseSpec(str(masked_bert)), Task.CLASSIFY)
    assert base.kind == "encoder" and not base.masked


@pytest.mark.parametrize("kind", ["t5", "bart"])
def test_models_of_another_build_are_refused(kind: str, masked_bert: Path, tmp_path: Path) -> None:
    for file in masked_bert.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    about = {"t5": {"model_type": "t5"}, "bart": {"model_type": "bart"}}[kind]
    (tmp_path / "config.json").write_text(json.dumps(about))
    assert ("neither write text" if kind == "t5" else "a decoder in one") in _refused(tmp_path)


def _logits(model: Any, bench: Bench) -> torch.Tensor:
    batch = bench.batches().collate(bench.all[:6])
    with torch.no_grad():
        found: torch.Tensor = model(input_ids=batch.ids, attention_mask=batch.mask).logits
    return found


def test_peft_and_transformers_open_the_adapter(masked_bert: Path, tmp_path: Path) -> None:
    bench = make_bench(masked_bert, Task.ADAPT, LowRank(rank=4, alpha=16.0))
    bench.train(4, bench.batches())
    bench.network.model.save_pretrained(str(tmp_path))  # type: ignore[operator]
    plain = AutoModelForMaskedLM.from_pretrained(str(masked_bert)).eval()
    untouched = _logits(plain, bench)
    theirs = PeftModel.from_pretrained(plain, tmp_path).eval()
    bench.network.mode(False, False)
    ours = _logits(bench.network.plain, bench)
    torch.testing.assert_close(_logits(theirs, bench), ours, atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(
        _logits(theirs.merge_and_unload(), bench), ours, atol=1e-4, rtol=1e-4
    )
    assert (ours - untouched).abs().max() > 1e-3


def test_transformers_opens_the_whole_weights(masked_bert: Path, tmp_path: Path) -> None:
    bench = make_bench(masked_bert, Task.ADAPT, FullParameters())
    before = bench.begin()[1].snapshot()
    state = bench.train(3, bench.batches(), rate=1e-3)
    assert furthest(before, state.snapshot()) > 1e-4
    assert any("cls.predictions" in name for name in state.trainable), "the head is trained too"
    bench.network.model.save_pretrained(str(tmp_path))  # type: ignore[operator]
    theirs = AutoModelForMaskedLM.from_pretrained(str(tmp_path)).eval()
    bench.network.mode(False, False)
    ours = _logits(bench.network.plain, bench)
    torch.testing.assert_close(_logits(theirs, bench), ours, atol=1e-6, rtol=1e-6)


def test_the_loss_is_that_of_transformers(masked_bert: Path) -> None:
    bench = make_bench(masked_bert, Task.ADAPT)
    batch = bench.batches().collate(bench.all)
    bench.network.mode(False, False)
    assert batch.learn is not None and batch.targets is not None
    labels = batch.targets.masked_fill(batch.learn == 0, -100)
    theirs = AutoModelForMaskedLM.from_pretrained(str(masked_bert)).eval()
    with torch.no_grad():
        wanted = theirs(input_ids=batch.ids, attention_mask=batch.mask, labels=labels).loss
        losses = bench.head.losses(bench.network, batch)
    assert float(losses.total / losses.weights.sum()) == pytest.approx(float(wanted), abs=1e-5)


def test_right_guesses_are_counted(masked_bert: Path) -> None:
    bench = make_bench(masked_bert, Task.ADAPT)
    batch = bench.batches().collate(bench.all)
    bench.network.mode(False, False)
    assert batch.learn is not None and batch.targets is not None
    with torch.no_grad():
        logits = bench.network.plain(input_ids=batch.ids, attention_mask=batch.mask).logits
        scores = bench.head.scores(bench.network, batch)
    hits = ((logits.argmax(-1) == batch.targets) & (batch.learn > 0)).sum(1)
    assert [int(score[2]) for score in scores] == hits.tolist()
    assert [int(score[1]) for score in scores] == batch.learn.sum(1).tolist()


def test_another_tokenizer_size_does_not_matter(tmp_path: Path) -> None:
    folder = save_masked(tmp_path / "wide", bert_config(vocab_size=400))
    assert len(AutoTokenizer.from_pretrained(str(folder))) < 400
    bench = make_bench(folder, Task.ADAPT)
    bench.train(1, bench.batches())
    assert bench.encoded.masking is not None
    assert bench.encoded.masking.vocabulary < 400
