"""Rows of text with a class, several classes, a number, or nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luthier.data.mappings.fields import NULL, Cells, label_text

if TYPE_CHECKING:
    from luthier.data.mappings.columns import Mapping


def text_of(mapping: Mapping, cells: Cells) -> str:
    """The text columns, joined; empty ones are left out.

    Raises: FixData when all are empty.
    """
    parts = [cells.text(column) for column in mapping.text]
    text = mapping.separator.join(part for part in parts if part.strip())
    if not text.strip():
        columns = ", ".join(repr(column) for column in mapping.text)
        raise cells.refuse(
            f"the text is empty (column {columns})", "Text is needed", "fill or remove the row"
        )
    return text


def classify(mapping: Mapping, cells: Cells) -> dict[str, Any]:
    """{text, label}; the label is a name."""
    column = mapping.column("label")
    value = cells.value(column)
    if isinstance(value, list | dict):
        raise cells.refuse(
            f"the label in column {column!r} is a {type(value).__name__}, not one class",
            advice="set task: multilabel for several classes per row",
        )
    label = "" if value is None or value != value else label_text(value)
    if not label:
        raise cells.refuse(
            f"the label in column {column!r} is empty",
            "Every row has a label",
            "fill or remove the row",
        )
    return {"text": text_of(mapping, cells), "label": cells.sound(label, column)}


def multilabel(mapping: Mapping, cells: Cells) -> dict[str, Any]:
    """{text, labels}; the labels are distinct names, possibly none."""
    column = mapping.column("label")
    value = cells.value(column)
    listed = cells.listed(column)
    if listed is None:
        text = "" if value in NULL else label_text(value)
        listed = text.split(mapping.divider) if mapping.divider else [text]
    if any(isinstance(part, list | dict) or part is None for part in listed):
        raise cells.refuse(
            f"the labels in column {column!r} hold something that is no class name",
            'Allowed: a list of names such as ["billing", "urgent"], or names with | between',
        )
    names = [cells.sound(label_text(part), column) for part in listed]
    labels = list(dict.fromkeys(name for name in names if name))
    return {"text": text_of(mapping, cells), "labels": labels}


def regress(mapping: Mapping, cells: Cells) -> dict[str, Any]:
    """{text, label}; the label is a float."""
    number = cells.number_in(mapping.column("label"))
    return {"text": text_of(mapping, cells), "label": number}


def adapt(mapping: Mapping, cells: Cells) -> dict[str, Any]:
    """{text}."""
    return {"text": text_of(mapping, cells)}
