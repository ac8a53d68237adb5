"""Rendering, validation and export of the embedded model."""

import json
import math
import shutil
from pathlib import Path

import numpy as np
import torch
from pretrain.sources import Document
from pretrain.tokenizer import BOS, CHAT_TEMPLATE, END, load_tokenizer
from safetensors.torch import save_file
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast
from transformers.utils.chat_template_utils import render_jinja_template

Table = dict[str, dict[str, float]]


def render(document: Document) -> str:
    """Text of a document with its special tokens."""
    if isinstance(document.content, str):
        return f"{BOS}{document.content}{END}"
    rendered, _ = render_jinja_template(
        [document.content], tools=document.tools, chat_template=CHAT_TEMPLATE, bos_token=BOS
    )
    return rendered[0]


def encode(documents: list[Document], tokenizer: PreTrainedTokenizerFast) -> list[np.ndarray]:
    """Token ids of each document."""
    texts = [render(document) for document in documents]
    encoded = tokenizer.backend_tokenizer.encode_batch(texts, add_special_tokens=False)
    return [np.array(item.ids, dtype=np.int32) for item in encoded]


@torch.no_grad()
def measure(
    model: LlamaForCausalLM,
    documents: list[tuple[Document, np.ndarray]],
    tokenizer: PreTrainedTokenizerFast,
) -> Table:
    """Loss in nats per token and bits per byte of each source.

    Documents are cut at the context length. Every token after ``<|bos|>`` is predicted; the bytes
    are those of the text without special tokens.
    """
    limit = model.config.max_position_embeddings
    sums: dict[str, list[float]] = {}
    model.eval()
    ordered = sorted(documents, key=lambda pair: len(pair[1]))
    for start in range(0, len(ordered), 8):
        part = ordered[start : start + 8]
        width = min(limit, max(len(ids) for _, ids in part))
        inputs = torch.full((len(part), width), tokenizer.pad_token_id)
        labels = torch.full((len(part), width), -100)
        for row, (_, ids) in enumerate(part):
            cut = torch.from_numpy(ids[:width]).long()
            inputs[row, : len(cut)] = cut
            labels[row, : len(cut)] = cut
        logits = model(input_ids=inputs).logits[:, :-1].float()
        nats = torch.nn.functional.cross_entropy(
            logits.transpose(1, 2), labels[:, 1:], reduction="none"
        ).sum(1)
        for (document, ids), total in zip(part, nats.tolist(), strict=True):
            cut = ids[:width]
            text = tokenizer.decode(cut, skip_special_tokens=True)
            entry = sums.setdefault(document.source, [0.0, 0.0, 0.0, 0.0])
            for index, value in enumerate((total, len(cut) - 1, len(text.encode()), 1)):
                entry[index] += value
    model.train()
    return {
        name: {
            "loss": round(nats / tokens, 4),
            "bits_per_byte": round(nats / math.log(2) / size, 4),
            "tokens": tokens,
            "bytes": size,
            "documents": count,
        }
        for name, (nats, tokens, size, count) in sorted(sums.items())
    }


def mean_losses(table: Table) -> dict[str, float]:
    """Validation loss per token and bits per byte over all sources."""
    nats = sum(row["loss"] * row["tokens"] for row in table.values())
    tokens = sum(row["tokens"] for row in table.values())
    size = sum(row["bytes"] for row in table.values())
    return {
        "validation_loss": round(nats / tokens, 4),
        "validation_bits_per_byte": round(nats / math.log(2) / size, 4),
    }


def export_model(model: LlamaForCausalLM, tokenizer_folder: Path, out: Path) -> None:
    """Write the model folder: every file to a temporary folder first, then renamed into place.

    Weights are stored in float16, while the configuration names float32, the type to compute in.
    """
    out.mkdir(parents=True, exist_ok=True)
    temporary = out.parent / f".{out.name}.tmp"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    weights = {
        name: tensor.detach().half().contiguous().clone()
        for name, tensor in model.state_dict().items()
        if name != "lm_head.weight"
    }
    save_file(weights, temporary / "model.safetensors", metadata={"format": "pt"})
    config = model.config.to_diff_dict()
    config |= {"architectures": ["LlamaForCausalLM"], "dtype": "float32", "use_cache": True}
    config.pop("_attn_implementation", None)
    generation = {
        "bos_token_id": config["bos_token_id"],
        "eos_token_id": config["eos_token_id"],
        "pad_token_id": config["pad_token_id"],
        "max_new_tokens": 128,
    }
    for name, values in (("config.json", config), ("generation_config.json", generation)):
        text = json.dumps(values, indent=2, sort_keys=True)
        (temporary / name).write_text(text + "\n", encoding="utf-8")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(tokenizer_folder / name, temporary / name)
    load_tokenizer(temporary)
    for path in temporary.iterdir():
        path.chmod(0o644)
        path.replace(out / path.name)
    temporary.rmdir()
