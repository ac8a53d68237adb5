"""Instruction tuning written out: the plain twin of `task: instruct`.

What: only what the assistant says is learnt, its end mark included. The loss of an update is the
sum over its supervised tokens divided by their number, however many passes it is computed in.

Why: masks that miss the end mark give models that never stop. Passes that each take their own mean
make the result depend on how a batch was cut; dividing by the tokens of the whole batch does not.

Sources: Ouyang et al. 2022, "Training language models to follow instructions with human feedback";
Hu et al. 2021, "LoRA".

    python examples/instruct_lora.py
"""

from __future__ import annotations

import torch
from peft import LoraConfig, get_peft_model
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

Chat = list[dict[str, str]]
Row = tuple[list[int], list[int]]
"""Token ids, and 1 where the token is learnt."""
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def tiny_tokenizer() -> PreTrainedTokenizerFast:
    """One token per byte, and the two marks of the template. Pad and end are the same token."""
    marks = ["<|im_start|>", "<|im_end|>"]
    pieces = [*marks, *sorted(pre_tokenizers.ByteLevel.alphabet())]
    numbered = {piece: number for number, piece in enumerate(pieces)}
    raw = Tokenizer(models.BPE(vocab=numbered, merges=[]))
    raw.add_special_tokens(marks)
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    made = PreTrainedTokenizerFast(tokenizer_object=raw, eos_token=marks[1], pad_token=marks[1])
    made.chat_template = TEMPLATE
    return made


def tiny_llama(seed: int = 0) -> LlamaForCausalLM:
    """A Llama of random weights, 32 wide and three layers deep."""
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=258,
        hidden_size=32,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        intermediate_size=48,
        max_position_embeddings=256,
        initializer_range=0.15,
        bos_token_id=None,
        eos_token_id=1,
        pad_token_id=1,
    )
    return LlamaForCausalLM(config).eval()


def tokens_of(chat: Chat, tokenizer: PreTrainedTokenizerFast) -> Row:
    """A conversation as ids and mask: header, then text and end mark, turn after turn."""
    ids: list[int] = []
    learn: list[int] = []
    for turn in chat:
        header = tokenizer(f"<|im_start|>{turn['role']}\n", add_special_tokens=False)["input_ids"]
        said = tokenizer(f"{turn['content']}<|im_end|>\n", add_special_tokens=False)["input_ids"]
        ids += header + said
        learn += [0] * len(header) + [int(turn["role"] == "assistant")] * len(said)
    return ids, learn


def summed_loss(model: nn.Module, rows: list[Row]) -> Tensor:
    """Nats of all supervised tokens of some rows; position t predicts token t + 1."""
    longest = max(len(ids) for ids, _ in rows)
    ids = torch.ones(len(rows), longest, dtype=torch.long)
    mask, target = torch.zeros_like(ids), torch.full_like(ids, -100)
    for line, (tokens, learn) in enumerate(rows):
        ids[line, : len(tokens)] = torch.tensor(tokens)
        mask[line, : len(tokens)] = 1
        target[line, : len(tokens)] = torch.tensor(tokens).where(torch.tensor(learn) > 0, -100)
    logits = model(input_ids=ids, attention_mask=mask).logits
    return cross_entropy(logits[:, :-1].flatten(0, 1), target[:, 1:].flatten(), reduction="sum")


def tune(
    rows: list[Row], batches: list[list[int]], micro_rows: int, rate: float = 1e-2, seed: int = 0
) -> tuple[nn.Module, list[float]]:
    """The adapted model and the loss of each update, in passes of `micro_rows` rows."""
    base = tiny_llama()
    torch.manual_seed(seed)
    model = get_peft_model(base, LoraConfig(r=4, lora_alpha=8, target_modules="all-linear")).eval()
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=rate, weight_decay=0.01)
    curve = []
    for numbers in batches:
        supervised, total = sum(sum(rows[i][1]) for i in numbers), 0.0
        optimizer.zero_grad()
        for first in range(0, len(numbers), micro_rows):
            part = [rows[i] for i in numbers[first : first + micro_rows]]
            loss = summed_loss(model, part) / supervised
            loss.backward()
            total += loss.item()
        nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        curve.append(total)
    return model, curve


if __name__ == "__main__":
    ask, say = {"role": "user", "content": "Greet me"}, {"role": "assistant"}
    words = ("hi", "hello", "good day", "welcome")
    encoded = [tokens_of([ask, say | {"content": w}], tiny_tokenizer()) for w in words]
    for number, value in enumerate(tune(encoded, [[0, 1, 2, 3]] * 20, micro_rows=1)[1], 1):
        print(f"update {number:2d}  loss per supervised token {value:.4f}")
