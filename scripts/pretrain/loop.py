"""Training loop of the embedded model: batches, schedule, checkpoints and log."""

import argparse
import json
import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from pretrain.export import mean_losses, measure
from pretrain.sources import Document
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast


@dataclass
class Progress:
    """Where the run stands; saved in every checkpoint."""

    step: int = 0
    tokens: int = 0
    epoch: int = 0
    offset: int = 0
    seconds: float = 0.0


def epoch_stream(documents: list[np.ndarray], seed: int, epoch: int) -> torch.Tensor:
    """All documents in the order of this epoch, one after the other."""
    order = list(range(len(documents)))
    random.Random(f"{seed}-{epoch}").shuffle(order)
    return torch.from_numpy(np.concatenate([documents[index] for index in order]))


def batches(
    documents: list[np.ndarray], progress: Progress, args: argparse.Namespace
) -> Iterator[torch.Tensor]:
    """Endless packed batches, beginning at the position that ``progress`` holds."""
    size = args.batch * args.sequence
    while True:
        stream = epoch_stream(documents, args.seed, progress.epoch)
        while progress.offset + size <= len(stream):
            chunk = stream[progress.offset : progress.offset + size].long()
            progress.offset += size
            long = progress.step % 8 == 7 and args.batch % 2 == 0
            yield chunk.view(-1, args.sequence * (2 if long else 1))
        progress.epoch, progress.offset = progress.epoch + 1, 0


def learning_rate(args: argparse.Namespace, step: int, elapsed: float, total: float) -> float:
    """Linear warm-up by steps, a plateau, then a linear decay over the last share of the time."""
    warm = min(1.0, (step + 1) / args.warmup_steps)
    remaining = max(0.0, (total - elapsed) / (total * args.decay_share))
    return args.learning_rate * warm * max(0.01, min(1.0, remaining))


def build_optimizer(model: LlamaForCausalLM) -> torch.optim.AdamW:
    """AdamW with weight decay on the matrices only."""
    matrices = [weight for weight in model.parameters() if weight.ndim >= 2]
    vectors = [weight for weight in model.parameters() if weight.ndim < 2]
    groups = [
        {"params": matrices, "weight_decay": 0.1},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, betas=(0.9, 0.98), eps=1e-9, fused=True)


def save_checkpoint(
    path: Path, model: LlamaForCausalLM, optimizer: torch.optim.AdamW, progress: Progress
) -> None:
    """Write model, optimizer and progress to a temporary file, then rename it."""
    state = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "progress": vars(progress),
    }
    temporary = path.with_suffix(".tmp")
    torch.save(state, temporary)
    temporary.replace(path)


def restore(
    path: Path, model: LlamaForCausalLM, optimizer: torch.optim.AdamW | None = None
) -> Progress:
    """Load the checkpoint if there is one and return its progress."""
    if not path.exists():
        return Progress()
    state = torch.load(path, weights_only=True)
    model.load_state_dict(state["model"])
    if optimizer is not None:
        optimizer.load_state_dict(state["optimizer"])
    return Progress(**state["progress"])


def train(
    args: argparse.Namespace,
    model: LlamaForCausalLM,
    documents: list[np.ndarray],
    validation: list[tuple[Document, np.ndarray]],
    tokenizer: PreTrainedTokenizerFast,
) -> Progress:
    """Train until the deadline and return the final progress."""
    optimizer = build_optimizer(model)
    path = args.work / "checkpoint.pt"
    progress = restore(path, model, optimizer)
    started = time.time() - progress.seconds
    deadline = args.deadline if args.deadline > 1e6 else started + args.deadline * 60
    total, saved, logged, losses = deadline - started, time.time(), time.time(), []
    shown = progress.tokens
    torch.set_num_threads(1)
    pool = ThreadPoolExecutor(args.threads)
    for chunk in batches(documents, progress, args):
        progress.seconds = time.time() - started
        if progress.seconds >= total:
            break
        rate = learning_rate(args, progress.step, progress.seconds, total)
        for group in optimizer.param_groups:
            group["lr"] = rate
        loss = backward(model, chunk, pool)
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        progress.step += 1
        progress.tokens += chunk.numel()
        losses.append(loss)
        if progress.step % 50 == 0:
            speed = (progress.tokens - shown) / (time.time() - logged)
            log(
                args,
                step=progress.step,
                tokens=progress.tokens,
                epoch=progress.epoch,
                seconds=round(progress.seconds),
                loss=round(float(np.mean(losses)), 4),
                lr=round(rate, 6),
                norm=round(norm.item(), 3),
                tokens_per_second=round(speed),
            )
            losses, logged, shown = [], time.time(), progress.tokens
        if time.time() - saved > args.save_minutes * 60:
            save_checkpoint(path, model, optimizer, progress)
            part = mean_losses(measure(model, validation[::4], tokenizer))
            log(args, step=progress.step, tokens=progress.tokens, **part)
            saved = logged = time.time()
            shown = progress.tokens
    save_checkpoint(path, model, optimizer, progress)
    return progress


def backward(model: LlamaForCausalLM, chunk: torch.Tensor, pool: ThreadPoolExecutor) -> float:
    """Gradients of the mean loss, every sequence on the next free thread; returns the loss."""
    weights = list(model.parameters())

    def one(row: torch.Tensor) -> tuple[float, tuple[torch.Tensor, ...]]:
        loss = model(input_ids=row, labels=row).loss
        return loss.item(), torch.autograd.grad(loss / len(chunk), weights)

    total = 0.0
    for loss, gradients in pool.map(one, chunk.split(1)):
        total += loss / len(chunk)
        for weight, gradient in zip(weights, gradients, strict=True):
            weight.grad = gradient if weight.grad is None else weight.grad.add_(gradient)
    return total


def log(args: argparse.Namespace, **values: object) -> None:
    """Print one JSON line and append it to the log of the work folder."""
    line = json.dumps(values)
    print(line, flush=True)
    with (args.work / "log.jsonl").open("a", encoding="utf-8") as file:
        file.write(line + "\n")
