"""SetFit and transformers' Trainer on one task, in an environment of their own; see peers.py.

    .env/bin/python outside.py setfit|trainer MODEL_FOLDER TASK.json ANSWER.npz

Trainer stops after five minutes with its state saved, and goes on at the next call.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np
import torch

MINUTES = 5


def setfit(model_folder: str, task: dict[str, Any], _: Path) -> tuple[np.ndarray, float]:
    """40 pairs a row, one epoch, batches of 16: chances (N, C) and CPU seconds."""
    from datasets import Dataset
    from setfit import SetFitModel, Trainer, TrainingArguments

    started = time.process_time()
    model = SetFitModel.from_pretrained(model_folder)
    rows = Dataset.from_dict({"text": task["texts"], "label": task["truth"]})
    arguments = TrainingArguments(
        num_iterations=20, num_epochs=1, batch_size=16, seed=task["seed"], report_to="none",
        save_strategy="no", logging_strategy="no",
    )  # fmt: skip
    Trainer(model=model, args=arguments, train_dataset=rows).train()
    seconds = time.process_time() - started
    found = np.asarray(model.predict_proba(task["asked"], as_numpy=True, show_progress_bar=False))
    chances = np.zeros((len(found), task["classes"]))
    chances[:, np.asarray(model.model_head.classes_, int)] = found
    return chances, seconds


def trainer(model_folder: str, task: dict[str, Any], state: Path) -> tuple[np.ndarray, float]:
    """Full fine-tuning with Trainer's own settings: three epochs, batches of 8, rate 5e-5.

    Only the order is not its own: rows of like length share a batch, for a third of the time.
    """
    from transformers import (
        AutoModelForSequenceClassification,
        AutoTokenizer,
        DataCollatorWithPadding,
        Trainer,
        TrainerCallback,
        TrainingArguments,
    )

    class Pause(TrainerCallback):
        """Saves and stops when the time is over."""

        def __init__(self) -> None:
            self.end = time.monotonic() + 60 * MINUTES

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> Any:
            """Looks at the clock."""
            if time.monotonic() > self.end:
                control.should_save = control.should_training_stop = True
            return control

    started = time.process_time()
    tokenizer = AutoTokenizer.from_pretrained(model_folder)
    torch.manual_seed(task["seed"])
    model = AutoModelForSequenceClassification.from_pretrained(
        model_folder, num_labels=task["classes"]
    )
    rows = [
        tokenizer(text, truncation=True, max_length=256) | {"label": label}
        for text, label in zip(task["texts"], task["truth"], strict=True)
    ]
    arguments = TrainingArguments(
        str(state), report_to="none", logging_strategy="no", save_strategy="no",
        seed=task["seed"], disable_tqdm=True,
        train_sampling_strategy="group_by_length",
    )  # fmt: skip
    own = Trainer(
        model, arguments, train_dataset=rows, data_collator=DataCollatorWithPadding(tokenizer),
        callbacks=[Pause()],
    )  # fmt: skip
    before = state / "seconds.json"
    spent = json.loads(before.read_text()) if before.is_file() else 0.0
    own.train(resume_from_checkpoint=any(state.glob("checkpoint-*")) or None)
    spent += time.process_time() - started
    state.mkdir(parents=True, exist_ok=True)
    before.write_text(json.dumps(spent))
    if own.state.global_step < own.state.max_steps:
        sys.exit(3)
    asked = [tokenizer(text, truncation=True, max_length=256) for text in task["asked"]]
    # Trainer would sort the texts that are asked by length too, and answer them in that order.
    own.args.train_sampling_strategy = "random"
    scores = torch.as_tensor(np.asarray(own.predict(asked).predictions))
    return torch.softmax(scores, -1).numpy(), spent


def main() -> None:
    """Trains on the rows of the task and writes what it says about the texts asked."""
    method, model_folder, task_file, answer = sys.argv[1:5]
    task = json.loads(Path(task_file).read_text(encoding="utf-8"))
    torch.set_num_threads(1)
    train = {"setfit": setfit, "trainer": trainer}[method]
    chances, seconds = train(model_folder, task, Path(answer).with_suffix(""))
    np.savez(answer, chances=chances, seconds=seconds)


if __name__ == "__main__":
    main()
