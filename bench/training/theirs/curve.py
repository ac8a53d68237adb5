"""Trainer with a fixed sampler and no dropout, fed the same batches from the same first weights."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import torch
from gate import Gate
from safetensors.torch import load_file
from theirs.pooled import Pooled, collate
from transformers import Trainer, TrainingArguments


class InOrder(Trainer):
    """Rows as they come; remembers each loss unrounded."""

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        return range(len(self.train_dataset))

    def training_step(self, *given: Any) -> Any:
        loss = super().training_step(*given)
        self.seen.append(float(loss))
        return loss


def main() -> None:
    """Answers the largest difference of any loss."""
    gate = Gate()
    given = gate.given
    torch.set_num_threads(given["threads"])
    place = Path(given["place"])
    batches = json.loads((place / "batches.json").read_text(encoding="utf-8"))
    first = load_file(str(place / "first.safetensors"))
    model = Pooled(given["model"], len(first["output.bias"]), dropout=False)
    model.take(str(place / "first.safetensors"))
    arguments = TrainingArguments(
        output_dir=tempfile.mkdtemp(prefix="bench-"),
        per_device_train_batch_size=len(batches[0]),
        max_steps=len(batches),
        learning_rate=given["rate"],
        lr_scheduler_type="linear",
        report_to="none",
        disable_tqdm=True,
        save_strategy="no",
        remove_unused_columns=False,
    )
    rows = [row for batch in batches for row in batch]
    trainer = InOrder(model=model, args=arguments, train_dataset=rows, data_collator=collate)
    trainer.seen = []
    trainer.train()
    ours = json.loads((place / "losses.json").read_text(encoding="utf-8"))
    gate.tell(losses=max(abs(a - b) for a, b in zip(ours, trainer.seen, strict=True)))


if __name__ == "__main__":
    main()
