"""The plain text of a row, and the form in which two texts count as equal."""

from __future__ import annotations

import unicodedata
from typing import Any

from luthier.core.types import Task


def normalise(text: str) -> str:
    """NFKC, lower case, runs of white space as one space: equal results mean the same text.

    >>> normalise("  Ｃard\\tLOST ")
    'card lost'
    """
    if text.isascii():
        return " ".join(text.lower().split())
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def whole_text(task: Task, row: dict[str, Any]) -> str:
    """Everything said in a canonical row."""
    if task is Task.INSTRUCT:
        return _said(row["messages"])
    if task is Task.PREFER:
        return "\n".join([_said(row["messages"]), row["chosen"], row["rejected"]])
    return str(row["text"])


def input_text(task: Task, row: dict[str, Any]) -> str:
    """What the model is given in a canonical row, without the answer it learns."""
    if task is Task.INSTRUCT:
        return _said(row["messages"][:-1])
    return _said(row["messages"]) if task is Task.PREFER else str(row["text"])


def _said(messages: list[dict[str, Any]]) -> str:
    return "\n".join(str(message["content"]) for message in messages)
