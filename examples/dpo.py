"""Direct preference optimisation written out: the plain twin of `train.objective: dpo`.

What: of two answers to a prompt, one was preferred. The model learns to raise the margin
log p(chosen) - log p(rejected) above the margin it had before training.

Why: no reward model and no sampling are needed. The reference is the model before the first
update, so its margins are computed once and no second model is held in memory. The loss begins at
log 2 exactly, because the margins are equal then: a cheap check of any implementation.

Source: Rafailov et al. 2023, "Direct Preference Optimization", equation 7.

    python examples/dpo.py
"""

from __future__ import annotations

import torch
from peft import LoraConfig, get_peft_model
from torch import Tensor, nn
from torch.nn.functional import logsigmoid
from transformers import LlamaConfig, LlamaForCausalLM

Pair = tuple[list[int], list[int], list[int]]
"""Token ids of the prompt, of the chosen and of the rejected answer."""


def tiny_llama(seed: int = 0) -> LlamaForCausalLM:
    """A Llama of random weights, 32 wide and three layers deep."""
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=320,
        hidden_size=32,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        intermediate_size=48,
        max_position_embeddings=256,
        initializer_range=0.15,
        pad_token_id=0,
    )
    return LlamaForCausalLM(config).eval()


def tiny_pairs(count: int = 8, seed: int = 0) -> list[Pair]:
    """Random prompts; the chosen answer has even tokens, the rejected one odd tokens."""
    dice = torch.Generator().manual_seed(seed)
    pairs = []
    for _ in range(count):
        prompt, one, other = torch.randint(3, 9, (3,), generator=dice).tolist()
        asked = torch.randint(5, 320, (prompt,), generator=dice).tolist()
        even = (2 * torch.randint(5, 160, (one,), generator=dice)).tolist()
        odd = (2 * torch.randint(5, 159, (other,), generator=dice) + 1).tolist()
        pairs.append((asked, even, odd))
    return pairs


def log_chance(model: nn.Module, prompt: list[int], answer: list[int]) -> Tensor:
    """log p(answer | prompt): the sum over the answer's tokens, one sequence at a time."""
    ids = torch.tensor([prompt + answer])
    each = model(input_ids=ids).logits[0].log_softmax(-1)
    total = torch.zeros(())
    for place in range(len(prompt), ids.shape[1]):
        # The token at `place` is predicted from the one before it.
        total = total + each[place - 1, ids[0, place]]
    return total


def margin(model: nn.Module, pair: Pair) -> Tensor:
    """By how much the chosen answer is likelier than the rejected one, in nats."""
    prompt, chosen, rejected = pair
    return log_chance(model, prompt, chosen) - log_chance(model, prompt, rejected)


def dpo_loss(model: nn.Module, pair: Pair, reference: float, beta: float = 0.1) -> Tensor:
    """The loss of one pair; `reference` is the margin of the untouched model."""
    return -logsigmoid(beta * (margin(model, pair) - reference))


def tune(
    pairs: list[Pair], batches: list[list[int]], rate: float = 1e-2, seed: int = 0
) -> tuple[nn.Module, list[float]]:
    """The adapted model and the mean loss of each update."""
    base = tiny_llama()
    torch.manual_seed(seed)
    model = get_peft_model(base, LoraConfig(r=4, lora_alpha=8, target_modules="all-linear")).eval()
    with torch.no_grad():
        # B is zero, so the adapted model still is the untouched one.
        references = [margin(model, pair).item() for pair in pairs]
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=rate, weight_decay=0.01)
    curve = []
    for numbers in batches:
        optimizer.zero_grad()
        total = 0.0
        for i in numbers:
            loss = dpo_loss(model, pairs[i], references[i]) / len(numbers)
            loss.backward()
            total += loss.item()
        nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        curve.append(total)
    return model, curve


if __name__ == "__main__":
    for number, value in enumerate(tune(tiny_pairs(), [list(range(8))] * 15)[1], 1):
        print(f"update {number:2d}  loss {value:.4f}")
