"""One trial as users of transformers write it: the model is loaded anew, Trainer does the rest."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from peft import (
    LoraConfig,
    TaskType,
    get_peft_model,
    get_peft_model_state_dict,
    set_peft_model_state_dict,
)
from safetensors.torch import load_file, save_file
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)

RATES, DECAYS = (2e-5, 2e-2), (1e-4, 0.3)
BATCHES, RANKS = (8, 16, 32, 64), (4, 8, 16, 32, 64)
DROPOUTS, WARMUPS, HEADS = (0.0, 0.05, 0.1, 0.2), (0.03, 0.06, 0.1), (1.0, 3.0, 10.0)

Report = Callable[[int, float], None]
"""Told the epoch and the validation accuracy; may raise what ends the trial."""


class OutOfTime(Exception):
    """The budget is spent in the middle of a trial."""


@dataclass
class Setting:
    """What all trials of a search share: rows as tokens, the clock, and where they write."""

    given: dict[str, Any]

    def __post_init__(self) -> None:
        torch.set_num_threads(self.given["trial_threads"])
        self.place = Path(self.given["place"])
        self.tokenizer = AutoTokenizer.from_pretrained(self.given["model"])
        rows = {part: self._rows(part) for part in ("train", "validation")}
        self.labels = {n: i for i, n in enumerate(sorted({r["label"] for r in rows["train"]}))}
        self.data = {part: self._tokens(found) for part, found in rows.items()}

    @property
    def elapsed(self) -> float:
        """Seconds since the process of the search was started."""
        return time.time() - self.given["started"]

    @property
    def left(self) -> float:
        """Seconds that the budget still has."""
        return max(0.0, self.given["seconds"] - self.elapsed)

    def part(self, name: str) -> Dataset:
        """Another part as tokens: read after the search only."""
        return self._tokens(self._rows(name))

    def _rows(self, part: str) -> list[dict[str, str]]:
        lines = (self.place / f"{part}.jsonl").read_text(encoding="utf-8").strip("\n").split("\n")
        return [json.loads(line) for line in lines]

    def _tokens(self, rows: list[dict[str, str]]) -> Dataset:
        fed = self.tokenizer(
            [r["text"] for r in rows], truncation=True, max_length=self.given["tokens"]
        )
        labels = [self.labels[r["label"]] for r in rows]
        return Dataset.from_dict({**fed, "labels": labels})


class Telling(TrainerCallback):
    """Passes each validation on, keeps the best parameters, and ends the trial when time is up."""

    def __init__(self, setting: Setting, name: str, config: dict[str, Any], report: Report) -> None:
        self._setting, self._name, self._config, self._report = setting, name, config, report
        self._best = -1.0

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Raises OutOfTime."""
        if self._setting.left <= 0:
            raise OutOfTime

    def on_evaluate(
        self, args: Any, state: Any, control: Any, metrics: Any = None, model: Any = None, **_: Any
    ) -> None:
        """After each epoch."""
        epoch, score = round(state.epoch), float(metrics["eval_accuracy"])
        if score > self._best:
            self._best = score
            self._keep(epoch, score, model)
        self._report(epoch, score)

    def _keep(self, epoch: int, score: float, model: Any) -> None:
        folder = self._setting.place / "kept"
        folder.mkdir(exist_ok=True)
        file = folder / f"{self._name}-{epoch}.safetensors"
        tensors = {n: t.contiguous() for n, t in get_peft_model_state_dict(model).items()}
        save_file(tensors, str(file))
        event = {"at": self._setting.elapsed, "score": score, "trial": self._name, "epoch": epoch,
                 "file": file.name, "config": self._config}  # fmt: skip
        # One short line per write: the processes of several trials share the file.
        with (self._setting.place / "events.jsonl").open("a", encoding="utf-8") as out:
            out.write(json.dumps(event) + "\n")


def train(name: str, config: dict[str, Any], setting: Setting, report: Report) -> None:
    """A trial from its first update to its last, unless `report` or the clock ends it."""
    torch.set_num_threads(setting.given["trial_threads"])
    torch.manual_seed(setting.given["seed"])
    model = assembled(config, setting)
    arguments = TrainingArguments(
        output_dir=tempfile.mkdtemp(prefix="bench-"),
        per_device_train_batch_size=config["batch"],
        per_device_eval_batch_size=64,
        train_sampling_strategy="group_by_length",
        num_train_epochs=setting.given["epochs"],
        learning_rate=config["rate"],
        weight_decay=config["decay"],
        warmup_steps=config["warmup"],
        eval_strategy="epoch",
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        seed=setting.given["seed"],
    )
    Trainer(
        model=model,
        args=arguments,
        train_dataset=setting.data["train"],
        eval_dataset=setting.data["validation"],
        data_collator=DataCollatorWithPadding(setting.tokenizer),
        compute_metrics=lambda p: {"accuracy": float((p[0].argmax(-1) == p[1]).mean())},
        callbacks=[Telling(setting, name, config, report)],
        optimizers=(_optimizer(model, config), None),
    ).train()


def assembled(config: dict[str, Any], setting: Setting) -> Any:
    """The base from its files, with a fresh adapter and head."""
    model = AutoModelForSequenceClassification.from_pretrained(
        setting.given["model"], num_labels=len(setting.labels), use_safetensors=True
    )
    return get_peft_model(
        model,
        LoraConfig(
            task_type=TaskType.SEQ_CLS, r=config["rank"], lora_alpha=32,
            lora_dropout=config["dropout"], target_modules="all-linear",
        ),
    )  # fmt: skip


def _optimizer(model: Any, config: dict[str, Any]) -> torch.optim.Optimizer:
    """AdamW; the new output layer learns at a multiple of the rate."""
    named = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
    head = [p for n, p in named if "classifier" in n]
    rest = [p for n, p in named if "classifier" not in n]
    groups = [{"params": rest}, {"params": head, "lr": config["rate"] * config["head"]}]
    return torch.optim.AdamW(groups, lr=config["rate"], weight_decay=config["decay"])


# -- after the search ------------------------------------------------------------------------


def told(setting: Setting, ended: float) -> dict[str, Any]:
    """The incumbents of the search with their accuracy on the check rows, and the test accuracy of
    the last one. Incumbent is the best checkpoint of any trial, finished or not."""
    file, incumbents = setting.place / "events.jsonl", []
    lines = file.read_text(encoding="utf-8").strip("\n").split("\n") if file.exists() else []
    events = sorted((json.loads(line) for line in lines), key=lambda e: e["at"])
    for event in events:
        in_time = event["at"] <= setting.given["seconds"]
        if in_time and (not incumbents or event["score"] > incumbents[-1]["score"]):
            incumbents.append(event)
    check, test = setting.part("check"), None
    for place, event in enumerate(incumbents):
        model = assembled(event["config"], setting)
        tensors = load_file(str(setting.place / "kept" / event["file"]))
        set_peft_model_state_dict(model, tensors)
        event["check"] = accuracy(model, check, setting)
        if place == len(incumbents) - 1:
            test = accuracy(model, setting.part("test"), setting)
    trials = len({e["trial"] for e in events})
    return {"trajectory": incumbents, "test": test, "ended": ended, "trials": trials}


def accuracy(model: Any, data: Dataset, setting: Setting) -> float:
    """Share of right answers."""
    model.eval()
    collate, right = DataCollatorWithPadding(setting.tokenizer), 0
    rows = [data[int(i)] for i in np.argsort([len(r) for r in data["input_ids"]])]
    with torch.no_grad():
        for start in range(0, len(rows), 64):
            fed = collate(rows[start : start + 64])
            truth = fed.pop("labels")
            right += int((model(**fed).logits.argmax(-1) == truth).sum())
    return right / len(rows)
