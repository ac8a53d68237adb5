"""Conversations: chat messages, or a prompt with its response."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from luthier.data.mappings.fields import Cells

if TYPE_CHECKING:
    from luthier.data.mappings.columns import Mapping

Message = dict[str, Any]
ROLES = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "customer": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "bot": "assistant",
    "chatbot": "assistant",
    "model": "assistant",
    "agent": "assistant",
    "tool": "tool",
    "function": "tool",
    "observation": "tool",
}
_KEPT = ("tool_calls", "tool_call_id", "name", "reasoning_content")
_TURN = re.compile(r"(?:\A|\n\n)(Human|Assistant):[ \t]*")


def instruct(mapping: Mapping, cells: Cells) -> dict[str, Any]:
    """{messages}, ending with the assistant turn that is learnt.

    Raises: FixData for a row without a response, or a conversation that ends otherwise.
    """
    if mapping.messages:
        turns = turns_in(cells, mapping.messages)
        check_end(turns, cells)
        return {"messages": [*_system(mapping, cells, turns), *turns]}
    column = mapping.column("response")
    if not cells.text(column).strip():
        raise cells.refuse(
            f"there is only a prompt: the response in column {column!r} is empty",
            "Every row has a response to learn from",
            "fill or remove the row",
        )
    answer = {"role": "assistant", "content": cells.text(column)}
    return {"messages": [*prompt_turns(mapping, cells), answer]}


def prompt_turns(mapping: Mapping, cells: Cells) -> list[Message]:
    """The turns before the answer: system, then context, prompt and input as one user turn.

    A prompt written as `Human: ... Assistant: ...` becomes the turns it spells out.
    """
    prompt = cells.filled(mapping.column("prompt"))
    turns = transcript(prompt)
    if turns is None:
        parts = [_optional(cells, mapping.context), prompt, _optional(cells, mapping.input)]
        content = "\n\n".join(part for part in parts if part.strip())
        turns = [{"role": "user", "content": content}]
    elif mapping.context and _optional(cells, mapping.context).strip():
        context = _optional(cells, mapping.context)
        turns[0] = turns[0] | {"content": f"{context}\n\n{turns[0]['content']}"}
    return [*_system(mapping, cells, turns), *turns]


def turns_before(mapping: Mapping, cells: Cells) -> list[Message]:
    """The turns a model has to answer; answers at the end of a conversation are left out.

    Raises: FixData when nothing is asked.
    """
    column = mapping.messages or mapping.column("prompt")
    if mapping.messages is None and cells.listed(column) is None:
        return prompt_turns(mapping, cells)
    turns = turns_in(cells, column)
    while turns and turns[-1]["role"] == "assistant":
        turns.pop()
    if not turns:
        raise cells.refuse(f"nothing is asked in column {column!r}", "A turn of the user")
    return [*_system(mapping, cells, turns), *turns]


def transcript(text: str) -> list[Message] | None:
    """The turns of a text with `Human:` and `Assistant:` marks; None for any other text.

    An empty assistant turn at the end, the place of the answer, is left out.

    >>> [turn["role"] for turn in transcript("Human: Hi\\n\\nAssistant: Hello\\n\\nHuman: Bye")]
    ['user', 'assistant', 'user']
    """
    parts = _TURN.split(text.strip())
    if len(parts) < 3 or parts[0] or parts[1] != "Human":
        return None
    roles = [ROLES[role.lower()] for role in parts[1::2]]
    turns = [
        {"role": role, "content": content.strip()}
        for role, content in zip(roles, parts[2::2], strict=True)
    ]
    if turns[-1]["role"] == "assistant" and not turns[-1]["content"]:
        turns.pop()
    if not turns or any(not turn["content"] for turn in turns):
        return None
    return turns


def turns_in(cells: Cells, column: str) -> list[Message]:
    """The messages of a column in the canonical form {role, content, ...}.

    Raises: FixData for what is no conversation.
    """
    listed = cells.listed(column)
    if not listed:
        raise cells.refuse(
            f"the column {column!r} is not a list of messages",
            "Allowed: [{role, content}, ...] or [{from, value}, ...]",
        )
    return [_turn(part, index + 1, cells) for index, part in enumerate(listed)]


def check_end(turns: list[Message], cells: Cells) -> None:
    """Refuses a conversation that does not end with an answer to something.

    Raises: FixData.
    """
    last = turns[-1]
    if last["role"] != "assistant":
        raise cells.refuse(
            f"the last message is from {last['role']}, not from the assistant",
            "A conversation ends with the answer to learn",
            "remove the last message or add the answer",
        )
    if not any(turn["role"] in ("user", "tool") for turn in turns):
        raise cells.refuse(
            "no message is from the user", "A conversation has a user turn before the answer"
        )


def _turn(part: Any, number: int, cells: Cells) -> Message:
    if not isinstance(part, dict):
        raise cells.refuse(f"message {number} is not an object {{role, content}}")
    role = part.get("role") or part.get("from")
    if not isinstance(role, str) or role.lower() not in ROLES:
        raise cells.refuse(
            f"message {number} has the role {role!r}", f"Allowed: {', '.join(ROLES)}"
        )
    content = _content(part, number, cells)
    kept = {key: part[key] for key in _KEPT if part.get(key) not in (None, [], "")}
    if not content.strip() and not (kept.get("tool_calls") or role.lower() in ("tool", "system")):
        raise cells.refuse(f"message {number} is empty", "Every message says something")
    return {"role": ROLES[role.lower()], "content": cells.sound(content, "messages"), **kept}


def _content(part: Message, number: int, cells: Cells) -> str:
    content = next((part[k] for k in ("content", "value", "text") if part.get(k) is not None), "")
    if isinstance(content, list):
        found = [piece.get("text") for piece in content if isinstance(piece, dict)]
        texts = [text for text in found if isinstance(text, str)]
        if len(texts) == len(content):
            return "\n".join(texts)
    if not isinstance(content, str):
        raise cells.refuse(f"message {number} has content that is no text")
    return content


def _system(mapping: Mapping, cells: Cells, turns: list[Message]) -> list[Message]:
    said = _optional(cells, mapping.system)
    if not said.strip():
        return []
    if turns and turns[0]["role"] == "system":
        raise cells.refuse(
            f"both the column {mapping.system!r} and the first message are system instructions",
            "One of them is allowed",
        )
    return [{"role": "system", "content": said}]


def _optional(cells: Cells, column: str | None) -> str:
    return cells.text(column) if column else ""
