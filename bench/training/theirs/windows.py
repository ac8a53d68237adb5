"""Training in windows with transformers' Trainer or TRL's SFTTrainer, all else at defaults."""

from __future__ import annotations

import tempfile
from typing import Any

import torch
from datasets import Dataset
from gate import Gate, spread
from peft import LoraConfig, TaskType, get_peft_model
from theirs.plain_rows import rows_of
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)
from trl import SFTConfig, SFTTrainer

LORA = {"r": 16, "lora_alpha": 32, "target_modules": "all-linear"}


class AtGate(TrainerCallback):
    """Keeps the loop inside windows."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Waits for the first window."""
        self._gate.wait()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """One update of the window is done."""
        self._gate.updated()


def windowed(kind: type[Trainer], gate: Gate) -> type[Trainer]:
    """The trainer class, visiting its own batches in an order that is even over the windows."""

    class Windowed(kind):  # type: ignore[misc,valid-type]
        def _get_train_sampler(self, train_dataset: Any = None) -> Any:
            own = list(super()._get_train_sampler(train_dataset))
            size, given = self.args.per_device_train_batch_size, gate.given
            cuts = [own[i : i + size] for i in range(0, len(own) - size + 1, size)]
            longest = [float(max(len(self.train_dataset[i]["input_ids"]) for i in c)) for c in cuts]
            picked = spread(longest, given["windows"], given["steps"])
            order = [0] * given["warm"] + picked + picked[:1]
            return [i for b in order for i in cuts[b]]

        def training_step(self, model: Any, inputs: Any, *rest: Any) -> Any:
            ids, mask = inputs["input_ids"], inputs.get("attention_mask")
            rows, real = len(ids), ids.numel()
            if mask is not None:
                real = int(mask.sum())
            elif "position_ids" in inputs:
                rows = int((inputs["position_ids"] == 0).sum())
            gate.count(rows, real, ids.numel())
            return super().training_step(model, inputs, *rest)

    return Windowed


def classifier(gate: Gate) -> Trainer:
    """LoRA on an encoder with a classification head."""
    given = gate.given
    rows = rows_of(given["file"])
    labels = {name: i for i, name in enumerate(sorted({r["label"] for r in rows}))}
    tokenizer = AutoTokenizer.from_pretrained(given["model"])
    data = Dataset.from_list([{"text": r["text"], "labels": labels[r["label"]]} for r in rows])
    data = data.map(lambda b: tokenizer(b["text"], truncation=True), batched=True)
    model = AutoModelForSequenceClassification.from_pretrained(
        given["model"], num_labels=len(labels), use_safetensors=True
    )
    model = get_peft_model(model, LoraConfig(task_type=TaskType.SEQ_CLS, **LORA))
    arguments = TrainingArguments(
        output_dir=tempfile.mkdtemp(prefix="bench-"),
        per_device_train_batch_size=given["batch"],
        train_sampling_strategy=given["sampling"],
        max_steps=10**6,
        report_to="none",
        disable_tqdm=True,
        save_strategy="no",
    )
    return windowed(Trainer, gate)(
        model=model,
        args=arguments,
        train_dataset=data.remove_columns(["text"]),
        data_collator=DataCollatorWithPadding(tokenizer),
        callbacks=[AtGate(gate)],
    )


def writer(gate: Gate) -> Trainer:
    """LoRA on a causal model, loss on the answers."""
    given = gate.given
    data = Dataset.from_list(
        [
            {
                "prompt": [{"role": "user", "content": r["prompt"]}],
                "completion": [{"role": "assistant", "content": r["response"]}],
            }
            for r in rows_of(given["file"])
        ]
    )
    tokenizer = AutoTokenizer.from_pretrained(given["model"])
    model = AutoModelForCausalLM.from_pretrained(
        given["model"], use_safetensors=True, dtype=torch.float32
    )
    arguments = SFTConfig(
        output_dir=tempfile.mkdtemp(prefix="bench-"),
        per_device_train_batch_size=given["batch"],
        packing=given["packing"],
        gradient_checkpointing=given["checkpointing"],
        bf16=False,
        max_length=given["max_length"],
        max_steps=10**6,
        report_to="none",
        disable_tqdm=True,
        save_strategy="no",
    )
    return windowed(SFTTrainer, gate)(
        model=model,
        args=arguments,
        processing_class=tokenizer,
        train_dataset=data,
        peft_config=LoraConfig(task_type=TaskType.CAUSAL_LM, **LORA),
        callbacks=[AtGate(gate)],
    )


def main() -> None:
    """Trains until there is no further window."""
    gate = Gate()
    torch.set_num_threads(gate.given["threads"])
    {"classifier": classifier, "writer": writer}[gate.given["kind"]](gate).train()


if __name__ == "__main__":
    main()
