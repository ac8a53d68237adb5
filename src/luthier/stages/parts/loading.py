"""How a kept model is opened with PEFT and transformers alone, as Python text for its card."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from luthier.core.types import Task

FOLDER, TEXT = "path/to/model", "Write your text here."
"""What a reader replaces."""


@dataclass(frozen=True)
class Opening:
    """What decides how a kept model is opened."""

    base: str
    kind: Literal["encoder", "masked", "causal"]
    task: Task
    adapter: Literal["lora", "ia3", "full", "none"]
    pooling: Literal["mean", "cls", "last"]
    max_tokens: int
    revision: str | None = None
    """The commit of a base of the hub."""

    @property
    def embedded(self) -> bool:
        """Whether the base comes along with Luthier."""
        return self.base.startswith("embedded:")

    @property
    def fills_in(self) -> bool:
        """Whether it is an encoder that guesses hidden words."""
        return self.kind == "masked"


def snippet(opening: Opening) -> str:
    """Lines that load the model from `folder` and print its answer to `text`."""
    parts = [
        _imports(opening),
        [f'folder = Path("{FOLDER}")  # the folder named model of the run', f'text = "{TEXT}"'],
        _model(opening),
        _answer(opening),
    ]
    return "\n\n".join("\n".join(part) for part in parts)


def _imports(opening: Opening) -> list[str]:
    lines = [] if opening.task is Task.ADAPT else ["import json"]
    lines += ["from pathlib import Path", "", "import torch"]
    if opening.adapter in ("lora", "ia3"):
        lines.append("from peft import PeftModel")
    if not opening.task.generates:
        lines.append("from safetensors.torch import load_file")
    lines.append(f"from transformers import {_loader(opening)}, AutoTokenizer")
    if opening.embedded:
        lines += ["", "from luthier.models.base import locate"]
    return lines


def _loader(opening: Opening) -> str:
    if opening.fills_in:
        return "AutoModelForMaskedLM"
    return "AutoModelForCausalLM" if opening.kind == "causal" else "AutoModel"


def _model(opening: Opening) -> list[str]:
    loader = _loader(opening)
    if opening.adapter == "full":
        return [
            'tokenizer = AutoTokenizer.from_pretrained(folder / "weights")',
            f'model = {loader}.from_pretrained(folder / "weights").eval()',
        ]
    named = f'"{opening.base}"'
    at = f', revision="{opening.revision}"' if opening.revision else ""
    lines = [
        f"base = locate({named})" if opening.embedded else f"base = {named}",
        f"tokenizer = AutoTokenizer.from_pretrained(base{at})",
        f"model = {loader}.from_pretrained(base{at})",
    ]
    if opening.adapter in ("lora", "ia3"):
        lines.append('model = PeftModel.from_pretrained(model, folder / "adapter")')
    return [*lines, "model = model.eval()"]


def _answer(opening: Opening) -> list[str]:
    if opening.fills_in:
        return _filled()
    if opening.task is Task.ADAPT:
        return [
            'raw = (tokenizer.bos_token or "") + text',
            'batch = tokenizer(raw, return_tensors="pt", add_special_tokens=False)',
            *_written(),
        ]
    if opening.task.generates:
        return [
            'contract = json.loads((folder / "contract.json").read_text(encoding="utf-8"))',
            "prompt = tokenizer.apply_chat_template(",
            '    [{"role": "user", "content": text}],',
            '    chat_template=contract["template"],',
            "    add_generation_prompt=True,",
            "    tokenize=False,",
            ")",
            'batch = tokenizer(prompt, return_tensors="pt", add_special_tokens=False)',
            *_written(),
        ]
    return _scored(opening)


def _filled() -> list[str]:
    return [
        'batch = tokenizer(f"{text} {tokenizer.mask_token}", return_tensors="pt")',
        "with torch.no_grad():",
        "    logits = model(**batch).logits[0]",
        'hidden = (batch["input_ids"][0] == tokenizer.mask_token_id).nonzero()[-1, 0]',
        "print(tokenizer.decode(logits[hidden].argmax()))",
    ]


def _written() -> list[str]:
    return [
        'read = {name: batch[name] for name in ("input_ids", "attention_mask")}',
        "with torch.no_grad():",
        "    written = model.generate(**read, max_new_tokens=64, do_sample=False)",
        'new = written[0, batch["input_ids"].shape[1] :]',
        "print(tokenizer.decode(new, skip_special_tokens=True).strip())",
    ]


def _scored(opening: Opening) -> list[str]:
    return [
        'head = load_file(folder / "head.safetensors")',
        'facts = json.loads((folder / "facts.json").read_text(encoding="utf-8"))',
        f"limit = {opening.max_tokens}",
        'batch = tokenizer(text, return_tensors="pt", truncation=True, max_length=limit)',
        "with torch.no_grad():",
        "    hidden = model(**batch, output_hidden_states=True).hidden_states[-1][0]",
        *([] if opening.task is Task.TAG else [f"vector = {_POOLED[opening.pooling]}"]),
        *_READ[opening.task],
    ]


_POOLED = {"mean": "hidden.mean(0)", "cls": "hidden[0]", "last": "hidden[-1]"}
_SCORES = 'scores = head["weight"] @ vector + head["bias"]'
_READ = {
    Task.CLASSIFY: [_SCORES, 'print(facts["labels"][int(scores.argmax())])'],
    Task.MULTILABEL: [
        _SCORES,
        'print([name for name, s in zip(facts["labels"], scores) if s.sigmoid() >= 0.5])',
    ],
    Task.REGRESS: [_SCORES, 'print(float(scores[0]) * facts["deviation"] + facts["mean"])'],
    Task.TAG: [
        'tags = ["O"] + [f"{mark}-{name}" for name in facts["labels"] for mark in "BI"]',
        'best = (hidden @ head["weight"].T + head["bias"]).argmax(-1)',
        'tokens = tokenizer.convert_ids_to_tokens(batch["input_ids"][0])',
        "print([(token, tags[int(number)]) for token, number in zip(tokens, best)])",
    ],
}
