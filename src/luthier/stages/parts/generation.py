"""Answers written by a language model, in batches, with a KV cache."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from luthier.core.progress import Progress, Silence
from luthier.core.seeds import derive
from luthier.data.feed.contract import PromptContract
from luthier.data.feed.example import encode_prompt
from luthier.evaluate.predictions import TextPredictions
from luthier.models.network import Network
from luthier.stages.parts.answers import Exam, rows_of, to_predictions
from luthier.stages.workshop import Workshop

BATCH = 32
DRAWN = {"temperature": 0.7, "top_p": 1.0, "top_k": 0}
"""How answers under a seed are drawn."""


def write_answers(
    network: Network,
    contract: PromptContract,
    prompts: Sequence[Sequence[Mapping[str, Any]]],
    max_new_tokens: int,
    progress: Progress | None = None,
    tools: Sequence[Any] | None = None,
    seed: int | None = None,
) -> list[str]:
    """The greedy answer to each conversation, in order; with a seed one that is drawn.

    Prompts of similar length share a batch, padded on the left; writing ends at the contract's
    end tokens.
    """
    network.mode(False, False)
    encoded = [
        encode_prompt(prompt, contract, tools[i] if tools else None)
        for i, prompt in enumerate(prompts)
    ]
    order = sorted(range(len(encoded)), key=lambda i: len(encoded[i]))
    answers = [""] * len(encoded)
    listener = progress or Silence()
    for start in range(0, len(order), BATCH):
        part = order[start : start + BATCH]
        drawn = None if seed is None else derive(seed, "answers", start)
        texts = _write([encoded[i] for i in part], network, contract, max_new_tokens, drawn)
        for i, text in zip(part, texts, strict=True):
            answers[i] = text
        listener.advance(len(part))
    return answers


def _write(
    prompts: list[list[int]],
    network: Network,
    contract: PromptContract,
    most: int,
    seed: int | None = None,
) -> list[str]:
    tokenizer, model = contract.tokenizer, cast(Any, network.model)
    pad = tokenizer.pad_token_id
    pad = contract.end_ids[0] if pad is None else pad
    room = max(1, contract.max_tokens - most)
    # A prompt longer than the model can read keeps its end, where the question stands.
    prompts = [p[-room:] for p in prompts]
    longest = max(map(len, prompts))
    ids = torch.full((len(prompts), longest), pad)
    mask = torch.zeros_like(ids)
    for line, prompt in enumerate(prompts):
        ids[line, longest - len(prompt) :] = torch.tensor(prompt)
        mask[line, longest - len(prompt) :] = 1
    device = next(model.parameters()).device
    with torch.no_grad(), torch.random.fork_rng(enabled=seed is not None):
        if seed is not None:
            torch.manual_seed(seed)
        work = partial(
            model.generate,
            input_ids=ids.to(device),
            attention_mask=mask.to(device),
            max_new_tokens=most,
            do_sample=seed is not None,
            **({} if seed is None else DRAWN),
            pad_token_id=pad,
            eos_token_id=list(contract.end_ids),
            # Held in parts, it writes on until the last process has ended.
            synced_gpus=network.in_parts,
        )
        written = network.run(work)
    new = written[:, longest:].cpu().tolist()
    return [
        tokenizer.decode(_until_end(line, contract), skip_special_tokens=True).strip()
        for line in new
    ]


def _until_end(ids: list[int], contract: PromptContract) -> list[int]:
    for place, token in enumerate(ids):
        if token in contract.end_ids:
            return ids[:place]
    return ids


def written(
    shop: Workshop,
    network: Network,
    exam: Exam,
    scores: Sequence[NDArray[np.float32]],
    rows: int,
    progress: Progress | None = None,
) -> TextPredictions:
    """Generated answers to at most `rows` of the exam, beside the likelihood of the references.

    Which rows is decided by the evaluation seed, so that base and tuned answer the same.
    """
    count = len(exam.examples)
    chosen = np.arange(count)
    if count > rows:
        random = np.random.default_rng(derive(shop.recipe.evaluate.seed, "answers"))
        chosen = np.sort(random.choice(count, rows, replace=False))
    part = Exam(exam.encoded, exam.examples[chosen], exam.table, exam.plan, exam.hidden)
    known = to_predictions(shop.task, shop.head.labels, part, [scores[int(i)] for i in chosen])
    assert isinstance(known, TextPredictions)
    table_rows = rows_of(part)
    messages = [exam.table.row(int(r))["messages"] for r in table_rows]
    texts = write_answers(
        network,
        shop.contract,
        [m[:-1] for m in messages],
        shop.recipe.evaluate.max_new_tokens,
        progress,
        [exam.table.row(int(r)).get("tools") for r in table_rows],
    )
    truth = [[str(m[-1].get("content") or "")] for m in messages]
    return TextPredictions(truth, texts, table_rows, known.nats, known.tokens, known.bytes)
