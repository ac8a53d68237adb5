"""Which column of a file holds what."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from luthier.core.errors import FixRecipe
from luthier.core.types import Task
from luthier.data.mappings.conversation import instruct, turns_before
from luthier.data.mappings.fields import NULL, Cells
from luthier.data.mappings.labels import adapt, classify, multilabel, regress, text_of
from luthier.data.mappings.preference import prefer
from luthier.data.mappings.spans import tag

_COLUMNS = (
    "text", "label", "prompt", "response", "messages", "system", "chosen", "rejected", "spans",
    "group", "weight", "identity", "context", "input", "tokens",
)  # fmt: skip


@dataclass(frozen=True)
class Mapping:
    """Which column holds what, for one task.

    Several `text` columns are joined by `separator`. `context` goes before the prompt, `input`
    after it. With `tokens`, the column `spans` holds BIO tags. `divider` stands between the
    labels of a multi-label cell.
    """

    task: Task
    text: tuple[str, ...] = ()
    label: str | None = None
    prompt: str | None = None
    response: str | None = None
    messages: str | None = None
    system: str | None = None
    chosen: str | None = None
    rejected: str | None = None
    spans: str | None = None
    group: str | None = None
    weight: str | None = None
    identity: str | None = None
    separator: str = "\n"
    context: str | None = None
    input: str | None = None
    tokens: str | None = None
    divider: str | None = None

    def apply(self, row: dict[str, Any], place: str, number: int) -> dict[str, Any]:
        """The canonical row (`luthier.core.types.FIELDS`), and `group`, `weight`, `identity`.

        Raises: FixData, naming file and row, for anything that does not fit the task.
        """
        cells = Cells(row, place, number)
        canonical = _READERS[self.task](self, cells)
        if self.group:
            canonical["group"] = cells.filled(self.group)
        if self.weight:
            weight = cells.number_in(self.weight)
            if weight < 0:
                raise cells.refuse(
                    f"the weight {weight} in column {self.weight!r} is negative",
                    "Allowed: 0 or more",
                )
            canonical["weight"] = weight
        if self.identity and row.get(self.identity) not in NULL:
            canonical["identity"] = cells.text(self.identity)
        return canonical

    def fits(self, row: dict[str, Any]) -> bool:
        """Whether a row has every column of this mapping."""
        values = [getattr(self, name) for name in _COLUMNS]
        named = [name for v in values if v for name in ((v,) if isinstance(v, str) else v)]
        return all(name in row for name in named)

    def asks(self, row: dict[str, Any]) -> bool:
        """Whether a row has the columns of this mapping that hold the input."""
        if self.task in (Task.INSTRUCT, Task.PREFER):
            asked = self.messages or self.prompt
            beside = [c for c in (self.system, self.context, self.input) if c]
            return asked is not None and all(c in row for c in (asked, *beside))
        return bool(self.text) and all(column in row for column in self.text)

    def question(self, row: dict[str, Any], place: str, number: int) -> dict[str, Any]:
        """{text} or {messages}: the input of a row whose answer need not be known.

        Raises: FixData, naming file and row, for an input that is empty or no text.
        """
        cells = Cells(row, place, number)
        if self.task in (Task.INSTRUCT, Task.PREFER):
            return {"messages": turns_before(self, cells)}
        return {"text": text_of(self, cells)}

    def column(self, name: str) -> str:
        """The column for a field this task cannot do without.

        Raises: FixRecipe when it is not set.
        """
        column = getattr(self, name)
        if not column:
            raise FixRecipe(
                f"data.columns.{name}", f"the task {self.task} needs this column", advice="set it"
            )
        return str(column)

    def as_dict(self) -> dict[str, Any]:
        """A JSON-ready form with only what is set."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in values.items()
            if value not in (None, ())
        }

    @staticmethod
    def from_dict(values: dict[str, Any]) -> Mapping:
        """What `as_dict` gave."""
        made: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in values.items()
        }
        return Mapping(**(made | {"task": Task(made["task"])}))


_READERS: dict[Task, Callable[[Mapping, Cells], dict[str, Any]]] = {
    Task.CLASSIFY: classify,
    Task.MULTILABEL: multilabel,
    Task.REGRESS: regress,
    Task.TAG: tag,
    Task.INSTRUCT: instruct,
    Task.ADAPT: adapt,
    Task.PREFER: prefer,
}
