"""Rows of a table, and questions of people, with the nearest answered ones before them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from luthier.core.types import Task
from luthier.data.feed.contract import PromptContract
from luthier.data.feed.example import encode_prompt
from luthier.data.table import Table
from luthier.fewshot.showing import Demonstrations


@dataclass(frozen=True)
class Shown:
    """What stands before a question under a prompt contract; `spare` tokens are left for the
    answer."""

    rows: Demonstrations
    contract: PromptContract
    spare: int

    def before(self, messages: Sequence[Mapping[str, Any]], tools: Any = None) -> list[Any]:
        """The conversation with the nearest rows in its last question."""
        asked = len(encode_prompt(messages, self.contract, tools))
        return self.rows.before(messages, self.contract.max_tokens - self.spare - asked, self._size)

    def _size(self, text: str) -> int:
        tokenizer = self.contract.tokenizer
        # One more: at the seam two texts may be cut otherwise than apart.
        return 1 + len(tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])


@dataclass(frozen=True)
class ShownTable:
    """A table of conversations as the model reads them, which is all that encoding, answering and
    measuring ask for."""

    table: Table
    shown: Shown
    task: Task = Task.INSTRUCT

    def __len__(self) -> int:
        return len(self.table)

    def row(self, index: int) -> dict[str, Any]:
        """One row."""
        found = self.table.row(index)
        said, own = list(found["messages"]), list[Any]()
        while said and said[-1]["role"] == "assistant":
            own.insert(0, said.pop())
        return found | {"messages": [*self.shown.before(said, found.get("tools")), *own]}

    def take(self, indices: Sequence[int]) -> Iterator[dict[str, Any]]:
        """The rows at `indices`, in their order."""
        return (self.row(int(i)) for i in indices)

    def source_row(self, index: int) -> int:
        """Its number in the file."""
        return self.table.source_row(index)
