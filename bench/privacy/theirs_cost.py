"""CPU time of a step of Opacus beside the plain one; run by the peers' own interpreter.

    python bench/privacy/theirs_cost.py KIND ROWS TOKENS REPETITIONS MODE

MODE is hooks or ghost. For full fine-tuning, position and token-type ids are expanded, without
which Opacus 1.6 stops with an error. Prints one line of JSON.
"""

from __future__ import annotations

import json
import resource
import statistics
import sys
import time

import torch
from opacus.grad_sample.utils import wrap_model
from opacus.optimizers import DPOptimizer, DPOptimizerFastGradientClipping
from opacus.utils.fast_gradient_clipping_utils import DPLossFastGradientClipping
from peft import LoraConfig, get_peft_model
from torch import nn
from transformers import AutoModel


class Classifier(nn.Module):
    """Mean of the hidden states and an output layer."""

    def __init__(self, folder: str, kind: str) -> None:
        super().__init__()
        still = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
        # Loading leaves a model set to answer, and Opacus follows only layers set to train.
        body = AutoModel.from_pretrained(folder, add_pooling_layer=False, **still).train()
        if kind != "full":
            layers = ["query", "value"]
            if kind == "lora-all":
                layers += ["key", "dense"]
            rank = 8 if kind == "lora-qv" else 16
            config = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=layers)
            body = get_peft_model(body, config)
        self.body, self.output = body, nn.Linear(384, 77)

    def forward(self, ids: torch.Tensor, places: torch.Tensor, kinds: torch.Tensor) -> torch.Tensor:
        hidden = self.body(input_ids=ids, position_ids=places, token_type_ids=kinds)
        return self.output(hidden.last_hidden_state.mean(1))


def main(kind: str, rows: int, tokens: int, repetitions: int, mode: str, folder: str) -> None:
    """Measures both in turn."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    plain = Classifier(folder, kind)
    wrapped = Classifier(folder, kind)
    ids = torch.randint(1000, 30000, (rows, tokens))
    places = torch.arange(tokens).expand(rows, tokens).contiguous()
    kinds, target = torch.zeros_like(ids), torch.randint(0, 77, (rows,))
    private = wrap_model(wrapped, grad_sample_mode=mode, loss_reduction="mean")
    trained = [p for p in private.parameters() if p.requires_grad]
    family = DPOptimizer if mode == "hooks" else DPOptimizerFastGradientClipping
    optimizer = family(
        torch.optim.SGD(trained, lr=0.0),
        noise_multiplier=0.8,
        max_grad_norm=1.0,
        expected_batch_size=rows,
    )
    loss = nn.CrossEntropyLoss()
    if mode == "ghost":
        loss = DPLossFastGradientClipping(private, optimizer, nn.CrossEntropyLoss(), "mean")
    usual, still = (
        nn.CrossEntropyLoss(),
        torch.optim.SGD([p for p in plain.parameters() if p.requires_grad], lr=0.0),
    )
    spent: dict[str, list[float]] = {"plain": [], "private": []}
    for number in range(repetitions + 1):
        for name, model, rule, asked in (
            ("plain", plain, still, usual),
            ("private", private, optimizer, loss),
        ):
            started = time.process_time()
            rule.zero_grad()
            asked(model(ids, places, kinds), target).backward()
            rule.step()
            if number:
                spent[name].append(time.process_time() - started)
    ratios = sorted(p / q for p, q in zip(spent["private"], spent["plain"], strict=True))
    told = {name: statistics.median(times) for name, times in spent.items()}
    told |= {"ratio": statistics.median(ratios), "low": ratios[0], "high": ratios[-1]}
    told["mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    print(json.dumps(told))


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:5]), *sys.argv[5:7])
