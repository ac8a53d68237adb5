"""Trainer, with PEFT or with every parameter trained: test accuracy against seconds.

Evaluation is not counted.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from gate import Gate, cpu_seconds
from peft import LoraConfig, TaskType, get_peft_model
from theirs.plain_rows import rows_of
from theirs.windows import LORA
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)


class Curve(TrainerCallback):
    """Measures the test rows so many times; the clocks stand still meanwhile."""

    def __init__(self, accuracy: Any, every: int) -> None:
        self._accuracy, self._every = accuracy, max(1, every)
        self.points: list[dict[str, float]] = []
        self._wall = self._cpu = 0.0

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Starts the clocks."""
        self._from = time.perf_counter(), cpu_seconds()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Measures when it is time."""
        if state.global_step % self._every and state.global_step < state.max_steps:
            return
        self._wall += time.perf_counter() - self._from[0]
        self._cpu += cpu_seconds() - self._from[1]
        self.points.append(
            {
                "step": state.global_step,
                "wall": self._wall,
                "cpu": self._cpu,
                "accuracy": self._accuracy(),
            }
        )
        self._from = time.perf_counter(), cpu_seconds()


def main() -> None:
    """Answers the curve."""
    gate = Gate()
    given = gate.given
    torch.set_num_threads(given["threads"])
    place = Path(given["data"])
    rows = {part: rows_of(str(place / f"{part}.jsonl")) for part in ("train", "test")}
    labels = {n: i for i, n in enumerate(sorted({r["label"] for r in rows["train"]}))}
    tokenizer = AutoTokenizer.from_pretrained(given["model"])
    data = Dataset.from_list(
        [{"text": r["text"], "labels": labels[r["label"]]} for r in rows["train"]]
    ).map(lambda b: tokenizer(b["text"], truncation=True), batched=True, remove_columns=["text"])
    model = AutoModelForSequenceClassification.from_pretrained(
        given["model"], num_labels=len(labels), use_safetensors=True
    )
    batch = given.get("batch", 32)
    if given.get("adapter", True):
        model = get_peft_model(model, LoraConfig(task_type=TaskType.SEQ_CLS, **LORA))
    arguments = TrainingArguments(
        output_dir=tempfile.mkdtemp(prefix="bench-"),
        per_device_train_batch_size=batch,
        train_sampling_strategy=given["sampling"],
        num_train_epochs=given["epochs"],
        learning_rate=given.get("rate", 5e-4),
        report_to="none",
        disable_tqdm=True,
        save_strategy="no",
    )

    def accuracy() -> float:
        return measure(model, tokenizer, rows["test"], labels)

    steps = given["epochs"] * -(-len(data) // batch)
    curve = Curve(accuracy, steps // given.get("points", 12))
    Trainer(
        model=model,
        args=arguments,
        train_dataset=data,
        data_collator=DataCollatorWithPadding(tokenizer),
        callbacks=[curve],
    ).train()
    gate.tell(curve=curve.points)


def measure(
    model: Any, tokenizer: Any, rows: list[dict[str, str]], labels: dict[str, int]
) -> float:
    """Share of right answers."""
    ordered, right = sorted(rows, key=lambda r: len(r["text"])), 0
    was = model.training
    model.eval()
    with torch.no_grad():
        for start in range(0, len(ordered), 64):
            part = ordered[start : start + 64]
            fed = tokenizer(
                [r["text"] for r in part], truncation=True, padding=True, return_tensors="pt"
            )
            found = model(**fed).logits.argmax(-1).tolist()
            right += sum(labels.get(r["label"], -1) == f for r, f in zip(part, found, strict=True))
    model.train(was)
    return right / len(rows)


if __name__ == "__main__":
    main()
