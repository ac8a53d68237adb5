"""TRL with PEFT on the same rows: packing into 4096 tokens, bfloat16, one sequence per update."""

from __future__ import annotations

import tempfile
from typing import Any

import shape as shapes
import torch
from datasets import Dataset
from gate import Gate
from peft import LoraConfig, TaskType
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM, TrainerCallback
from trl import SFTConfig, SFTTrainer


class AtGate(TrainerCallback):
    """Keeps the loop inside windows and waits for the device at their ends."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Waits for the first window."""
        self._gate.wait()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """One update is done."""
        if self._gate.left == 1 and torch.cuda.is_available():
            torch.cuda.synchronize()
        self._gate.updated()


def main() -> None:
    """Trains until there is no further window."""
    gate = Gate()
    given = gate.given
    chosen = shapes.SHAPE if given["whole"] else shapes.SMALL
    torch.manual_seed(0)
    torch.set_default_dtype(torch.bfloat16)
    with torch.device(given["device"]):
        model = LlamaForCausalLM(LlamaConfig(**chosen))
    torch.set_default_dtype(torch.float32)
    cuda = given["device"] == "cuda"
    arguments = SFTConfig(
        output_dir=tempfile.mkdtemp(prefix="bench-"),
        per_device_train_batch_size=1,
        packing=True,
        max_length=shapes.WINDOW,
        bf16=cuda,
        gradient_checkpointing=given["checkpointing"],
        max_steps=10**6,
        report_to="none",
        disable_tqdm=True,
        save_strategy="no",
    )

    class Counted(SFTTrainer):
        def training_step(self, model: Any, inputs: Any, *rest: Any) -> Any:
            gate.count(int((inputs["position_ids"] == 0).sum()), inputs["input_ids"].numel(), 0)
            return super().training_step(model, inputs, *rest)

    Counted(
        model=model,
        args=arguments,
        processing_class=AutoTokenizer.from_pretrained(given["tokenizer"]),
        train_dataset=Dataset.from_dict({"input_ids": shapes.rows(chosen["vocab_size"])}),
        peft_config=LoraConfig(
            task_type=TaskType.CAUSAL_LM, r=16, lora_alpha=32, target_modules="all-linear"
        ),
        callbacks=[AtGate(gate)],
    ).train()


if __name__ == "__main__":
    main()
