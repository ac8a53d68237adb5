"""The prompt contract: template, special tokens, tokenizer and truncation as one hashed value.

It is made once per run and used for masking, training, evaluation and prediction, so that what
the model learnt to continue is exactly what it is asked to continue later.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, Protocol

from luthier.core.errors import FixModel
from luthier.core.hashing import hash_value
from luthier.data.feed.masking import Masking

_SPECIAL = re.compile(
    r"<\|[^|<>\s]{1,40}\|>|</?s>|\[/?INST\]|<(?:start|end)_of_turn>|<[|｜][^<>]{1,40}[|｜]>"
)

PLAIN_TEMPLATE = (
    "{{ bos_token or '' }}{% for m in messages %}{% if m.role == 'assistant' %}"
    "{{ m.content or '' }}{{ eos_token }}{% else %}{{ m.content or '' }}\n{% endif %}{% endfor %}"
)
"""For models that bring no template: the prompt, a line break, the answer, the end token."""


class Canonical(Protocol):
    """A text with nothing invisible in it, and the way back to the text given."""

    @property
    def text(self) -> str:
        """The canonical text."""

    def back(self, start: int, stop: int) -> tuple[int, int]:
        """Where a part of the canonical text was in the text given."""


@dataclass(frozen=True)
class PromptContract:
    """How rows become tokens.

    `tokenizer` is a Hugging Face fast tokenizer; `template` is a Jinja chat template, or None for
    encoders; `end_ids` are the tokens at which generation stops. `masking` says what is hidden
    from a masked language model, None for all other models; `canonical` undoes invisible and
    look-alike characters before an encoder's tokenizer, and slips of the keyboard where `spelling`
    names the words it knows by their hash; `synonyms` is the hash of the
    words it reads as others; `blind` is the hash of words that it masks.
    """

    tokenizer: Any
    template: str | None
    end_ids: tuple[int, ...]
    max_tokens: int
    overlong: Literal["truncate", "drop", "refuse"] = "truncate"
    masking: Masking | None = None
    canonical: Callable[[str], Canonical] | None = None
    spelling: str | None = None
    synonyms: str | None = None
    blind: str | None = None

    @cached_property
    def hash(self) -> str:
        """Hash of everything that decides which tokens a row becomes."""
        return hash_value(self.as_dict())

    def as_dict(self) -> dict[str, Any]:
        """The contract as JSON-ready values; the tokenizer is named by the hash of its model."""
        masking = {} if self.masking is None else {"masking": self.masking.as_dict()}
        return {
            "tokenizer": _tokenizer_hash(self.tokenizer),
            "template": self.template,
            "special": {k: str(v) for k, v in sorted(self.tokenizer.special_tokens_map.items())},
            "end_ids": list(self.end_ids),
            "max_tokens": self.max_tokens,
            "overlong": self.overlong,
            **masking,
            **({} if self.canonical is None else {"canonical": 1}),
            **({} if self.spelling is None else {"spelling": self.spelling}),
            **({} if self.synonyms is None else {"synonyms": self.synonyms}),
            **({} if self.blind is None else {"blind": self.blind}),
        }

    def check(self, saved: Mapping[str, Any], place: str) -> None:
        """Refuses a contract other than the `saved` one.

        Raises: FixModel naming what differs.
        """
        mine = self.as_dict()
        different = [key for key in mine if mine[key] != saved.get(key)]
        if different:
            raise FixModel(
                place,
                f"the prompt contract differs from the one of training in {', '.join(different)}",
                advice="use the model and tokenizer the run was trained with",
            )

    def render(
        self,
        messages: Sequence[Mapping[str, Any]],
        tools: Sequence[Any] | None = None,
        reply: bool = False,
    ) -> str:
        """A conversation as text; with `reply` it ends where the assistant begins to write."""
        return str(
            self.tokenizer.apply_chat_template(
                [dict(m) for m in messages],
                tools=list(tools) if tools else None,
                chat_template=self.template,
                add_generation_prompt=reply,
                tokenize=False,
            )
        )

    def spans_to_learn(
        self, messages: Sequence[Mapping[str, Any]], tools: Sequence[Any] | None = None
    ) -> tuple[str, list[tuple[int, int]]]:
        """The rendered conversation and the character ranges the assistant wrote.

        Raises: FixModel when the template rewrites earlier turns, so that no range is certain, or
        leaves tool calls out.
        """
        whole = self.render(messages, tools)
        _refuse_lost_calls(messages, whole)
        ranges = []
        for index, message in enumerate(messages):
            if message["role"] != "assistant":
                continue
            before = self.render(messages[:index], tools, reply=True)
            after = whole
            if index < len(messages) - 1:
                after = self.render(messages[: index + 1], tools)
            if not after.startswith(before) or not whole.startswith(after):
                raise FixModel(
                    "chat template",
                    f"turn {index + 1} is rendered differently once later turns follow",
                    "a template that only appends",
                    "split the conversation into one row per answer, or set model.template_from",
                )
            ranges.append((len(before), len(after)))
        return whole, ranges


def _tokenizer_hash(tokenizer: Any) -> str:
    """Hash of what decides tokens. Padding and truncation are call-time settings that the
    library keeps inside the same object, so they are left out."""
    content = json.loads(tokenizer.backend_tokenizer.to_str())
    return hash_value({k: v for k, v in content.items() if k not in ("padding", "truncation")})


def make_contract(
    tokenizer: Any,
    template: str | None,
    end_ids: Sequence[int],
    max_tokens: int,
    overlong: Literal["truncate", "drop", "refuse"] = "truncate",
) -> PromptContract:
    """A contract whose template was checked against the tokenizer.

    Raises: FixModel for a slow tokenizer or a template of another model family.
    """
    if not getattr(tokenizer, "is_fast", False):
        raise FixModel(
            "tokenizer", "it has no fast version", "a tokenizer.json", "convert the tokenizer"
        )
    contract = PromptContract(tokenizer, template, tuple(end_ids), max_tokens, overlong)
    if template is not None:
        _refuse_foreign_template(contract)
    return contract


def _refuse_foreign_template(contract: PromptContract) -> None:
    tokenizer = contract.tokenizer
    try:
        text = contract.render(
            [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
        )
    except Exception as error:  # Jinja raises what the template's author chose.
        raise FixModel("chat template", f"it cannot be rendered: {error}") from error
    known = set(tokenizer.get_vocab())
    if contract.template == tokenizer.chat_template:
        # Some families write their marks as plain text, which only their own template may do.
        return
    foreign = sorted({mark for mark in _SPECIAL.findall(text) if mark not in known})
    if foreign:
        raise FixModel(
            "chat template",
            f"it uses {', '.join(foreign)}, which this tokenizer does not know",
            "a template of the same model family",
            "leave model.template_from out, or name a folder of the same family",
        )


def _refuse_lost_calls(messages: Sequence[Mapping[str, Any]], text: str) -> None:
    calls = [call for m in messages for call in m.get("tool_calls") or []]
    for call in calls:
        name = str(call.get("function", call).get("name", ""))
        if name not in text:
            raise FixModel(
                "chat template",
                f"it leaves out tool calls such as {name!r}",
                "a template that writes tool_calls",
                "set model.template_from, or write the call into the content",
            )
