"""Pairs of answers: a chosen and a rejected one to the same conversation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luthier.data.mappings.conversation import Message, prompt_turns, transcript, turns_in
from luthier.data.mappings.fields import Cells

if TYPE_CHECKING:
    from luthier.data.mappings.columns import Mapping

Answer = tuple[list[Message], str]


def prefer(mapping: Mapping, cells: Cells) -> dict[str, Any]:
    """{messages, chosen, rejected}; the messages end before the answer.

    Raises: FixData when an answer is missing, both are the same, or their prompts differ.
    """
    before, chosen = _answer(mapping, cells, "chosen")
    other, rejected = _answer(mapping, cells, "rejected")
    if before != other:
        raise cells.refuse(
            "the chosen and the rejected conversation differ before their last message",
            "Both answer the same messages",
        )
    if chosen.strip() == rejected.strip():
        raise cells.refuse(
            "the chosen and the rejected answer are the same",
            advice="remove the row: it holds no preference",
        )
    messages = _prompt(mapping, cells) or before
    if not messages or messages[-1]["role"] not in ("user", "tool"):
        raise cells.refuse(
            "there is no user message before the answers",
            "Allowed: a prompt, or conversations that end with the answer",
            "set data.columns.prompt or data.columns.messages",
        )
    return {"messages": messages, "chosen": chosen, "rejected": rejected}


def _prompt(mapping: Mapping, cells: Cells) -> list[Message]:
    if mapping.messages:
        return turns_in(cells, mapping.messages)
    if not mapping.prompt:
        return []
    if cells.listed(mapping.prompt) is not None:
        return turns_in(cells, mapping.prompt)
    return prompt_turns(mapping, cells)


def _answer(mapping: Mapping, cells: Cells, field: str) -> Answer:
    """The turns before the answer, where the column holds them, and the answer."""
    column = mapping.column(field)
    has_prompt = mapping.prompt or mapping.messages
    value = cells.value(column)
    if isinstance(value, list) or (not has_prompt and cells.listed(column)):
        turns: list[Message] | None = turns_in(cells, column)
    else:
        text = cells.filled(column)
        turns = None if has_prompt else transcript(text)
        if turns is None:
            return [], text
    if not turns or turns[-1]["role"] != "assistant":
        raise cells.refuse(f"the conversation in column {column!r} does not end with an answer")
    return turns[:-1], str(turns[-1]["content"])
