"""`data:` where the rows are, what their columns mean, and how they are divided."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from luthier.recipe.section import Section


class Columns(Section):
    """Which column holds what; everything left out is recognised from the file."""

    text: str | tuple[str, ...] | None = None
    """The input text; several columns are joined by a line break."""
    label: str | None = None
    """The class, the list of classes, or the number to predict."""
    spans: str | None = None
    """Marked parts of the text: a list of [start, end, type]."""
    prompt: str | None = None
    """What the user says."""
    response: str | None = None
    """What the model should answer."""
    messages: str | None = None
    """A conversation: a list of {role, content}."""
    system: str | None = None
    """The system instruction of a conversation."""
    chosen: str | None = None
    """The preferred answer."""
    rejected: str | None = None
    """The answer that was not preferred."""
    group: str | None = None
    """Rows with the same value never stand in two splits."""
    weight: str | None = None
    """How much a row counts in training; 1 where left out."""

    def given(self) -> dict[str, str | tuple[str, ...]]:
        """Only the columns that the user named."""
        return {name: value for name, value in self if value is not None}


class Split(Section):
    """How rows are divided where the files do not say."""

    validation: float = Field(0.1, ge=0.0, lt=0.9)
    """Share of the rows for choosing the best checkpoint."""
    test: float = Field(0.15, ge=0.0, lt=0.9)
    """Share of the rows for the sealed last evaluation."""
    seed: int = 13
    """Seed of the division."""


class Select(Section):
    """Which training rows are learnt from, where not all of them are (instructions and chats)."""

    by: Literal["joint", "diverse", "gradient", "random"] = "joint"
    """What makes a row worth learning from: coverage of all rows, agreement with the validation
    rows, both with quality, or the lot."""
    share: float = Field(0.1, gt=0.0, le=1.0)
    """Share of the training rows that is learnt from."""
    rows: int | None = Field(None, ge=1)
    """How many rows are learnt from; left out, `share` of them."""
    warm: int = Field(30, ge=0)
    """Updates on rows drawn by lot before gradients are compared; they are undone afterwards."""
    compare: bool = True
    """Also train on as many rows drawn by lot, and keep what does better on the validation rows."""
    seed: int = 0
    """Seed of the lot, and of ties."""

    def count(self, rows: int) -> int:
        """How many of so many training rows are learnt from."""
        wanted = self.rows if self.rows is not None else round(self.share * rows)
        return min(rows, max(1, wanted))


class Data(Section):
    """Where the rows are."""

    train: str
    """A file, a folder, a Hugging Face data set id, or `starter:<name>`."""
    validation: str | None = None
    """A file of its own for validation; left out, rows are taken from `train`."""
    test: str | None = None
    """A file of its own for the last evaluation; left out, rows are taken from `train`."""
    format: Literal["auto", "csv", "tsv", "json", "jsonl", "parquet", "text"] = "auto"
    """The file format; `auto` goes by the file name."""
    encoding: str | None = None
    """The character encoding of text files; left out, UTF-8, or UTF-16 where the file says so."""
    columns: Columns = Columns()
    """Which column holds what."""
    split: Split = Split()
    """How rows are divided where the files do not say."""
    max_rows: int | None = Field(None, ge=1)
    """Use at most so many rows of each file, from its start; the report says how many were left."""
    select: Select | None = None
    """A choice among the training rows; left out, all are learnt from."""
    allow_leakage: bool = False
    """Go on although the same text stands in training and test."""
