"""Tokenizer of the embedded model: byte-level BPE, special tokens and chat template."""

import json
from collections.abc import Iterable
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

PAD, BOS, END = "<|pad|>", "<|bos|>", "<|end|>"
SPECIALS = (PAD, BOS, END, "<|system|>", "<|user|>", "<|assistant|>", "<|tool|>")

CHAT_TEMPLATE = """\
{%- macro text(content) -%}
  {%- if content is string -%}{{ content }}
  {%- elif content is mapping -%}{{ content | tojson }}
  {%- elif content is iterable -%}
    {%- for part in content -%}{{ part.text if part.text is defined else part }}{%- endfor -%}
  {%- elif content is not none and content is defined -%}{{ content }}
  {%- endif -%}
{%- endmacro -%}
{%- macro tool_list() -%}
  {{- 'Tools:' -}}
  {%- for tool in tools -%}
    {{- '\\n' ~ ((tool.function if tool.function is defined else tool) | tojson) -}}
  {%- endfor -%}
{%- endmacro -%}
{%- macro call_list(calls) -%}
  {{- '{"tool_calls": [' -}}
  {%- for item in calls -%}
    {%- set call = item.function if item.function is defined else item -%}
    {%- set given = call.arguments if call.arguments is defined else {} -%}
    {{- '{"name": ' ~ (call.name | tojson) ~ ', "arguments": ' -}}
    {{- given if given is string else (given | tojson) -}}
    {{- '}' ~ ('' if loop.last else ', ') -}}
  {%- endfor -%}
  {{- ']}' -}}
{%- endmacro -%}
{{- bos_token -}}
{%- if tools and not (messages and messages[0].role == 'system') -%}
  {{- '<|system|>' ~ tool_list() ~ '<|end|>' -}}
{%- endif -%}
{%- for message in messages -%}
  {%- if message.role == 'assistant' -%}
    {{- '<|assistant|>' -}}
    {%- generation -%}
    {{- text(message.content) -}}
    {%- if message.tool_calls -%}
      {{- '\\n' if message.content else '' -}}
      {{- call_list(message.tool_calls) -}}
    {%- endif -%}
    {{- '<|end|>' -}}
    {%- endgeneration -%}
  {%- elif message.role == 'system' -%}
    {{- '<|system|>' ~ text(message.content) -}}
    {%- if tools and loop.first -%}
      {{- ('\\n\\n' if message.content else '') ~ tool_list() -}}
    {%- endif -%}
    {{- '<|end|>' -}}
  {%- elif message.role in ['user', 'tool'] -%}
    {{- '<|' ~ message.role ~ '|>' ~ text(message.content) ~ '<|end|>' -}}
  {%- else -%}
    {{- raise_exception('unknown role: ' ~ message.role) -}}
  {%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<|assistant|>' -}}{%- endif -%}
"""


def train_tokenizer(texts: Iterable[str], vocab_size: int) -> Tokenizer:
    """Train a byte-level BPE whose digits are split one by one."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=list(SPECIALS),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        min_frequency=2,
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def save_tokenizer(tokenizer: Tokenizer, folder: Path, context: int) -> None:
    """Write ``tokenizer.json`` and ``tokenizer_config.json`` with the chat template."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": BOS,
        "eos_token": END,
        "pad_token": PAD,
        "extra_special_tokens": list(SPECIALS[3:]),
        "model_max_length": context,
        "padding_side": "right",
        "clean_up_tokenization_spaces": False,
        "model_input_names": ["input_ids", "attention_mask"],
        "chat_template": CHAT_TEMPLATE,
    }
    text = json.dumps(config, indent=2, ensure_ascii=False)
    (folder / "tokenizer_config.json").write_text(text + "\n", encoding="utf-8")


def load_tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    """Load the tokenizer that :func:`save_tokenizer` wrote."""
    return PreTrainedTokenizerFast.from_pretrained(str(folder))
