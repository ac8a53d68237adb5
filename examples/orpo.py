"""Odds-ratio preference optimisation written out: the plain twin of `train.objective: orpo`.

What: one loss does both jobs. Its first part is the usual loss on the chosen answer; its second
part pushes the odds of the chosen answer above those of the rejected one.

Why: no reference model is needed, not even its margins, and no supervised tuning before. The
likelihoods are means over the tokens of an answer, so a long answer is not punished for its length.

Source: Hong et al. 2024, "ORPO: Monolithic Preference Optimization without Reference Model",
equations 6 and 7. The weight 0.1 is lambda there.

    python examples/orpo.py
"""

from __future__ import annotations

import torch
from dpo import Pair, log_chance, tiny_llama, tiny_pairs
from peft import LoraConfig, get_peft_model
from torch import Tensor, nn
from torch.nn.functional import logsigmoid


def log_odds(mean_log_chance: Tensor) -> Tensor:
    """log(p / (1 - p)), from log p."""
    return mean_log_chance - torch.log1p(-torch.exp(mean_log_chance))


def orpo_loss(model: nn.Module, pair: Pair, weight: float = 0.1) -> Tensor:
    """The loss of one pair."""
    prompt, chosen, rejected = pair
    likely = log_chance(model, prompt, chosen) / len(chosen)
    unlikely = log_chance(model, prompt, rejected) / len(rejected)
    return -likely - weight * logsigmoid(log_odds(likely) - log_odds(unlikely))


def tune(
    pairs: list[Pair], batches: list[list[int]], rate: float = 1e-2, seed: int = 0
) -> tuple[nn.Module, list[float]]:
    """The adapted model and the mean loss of each update."""
    base = tiny_llama()
    torch.manual_seed(seed)
    model = get_peft_model(base, LoraConfig(r=4, lora_alpha=8, target_modules="all-linear")).eval()
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=rate, weight_decay=0.01)
    curve = []
    for numbers in batches:
        optimizer.zero_grad()
        total = 0.0
        for i in numbers:
            loss = orpo_loss(model, pairs[i]) / len(numbers)
            loss.backward()
            total += loss.item()
        nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        curve.append(total)
    return model, curve


if __name__ == "__main__":
    for number, value in enumerate(tune(tiny_pairs(), [list(range(8))] * 15)[1], 1):
        print(f"update {number:2d}  loss {value:.4f}")
