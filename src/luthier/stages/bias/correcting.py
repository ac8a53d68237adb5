"""Labels that a person put right: a file of rows as labelling writes it, against training rows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from luthier.core.errors import FixData, nearest
from luthier.data.feed.labels import LabelSet
from luthier.data.mapping import Mapping
from luthier.data.mappings.text import normalise
from luthier.data.source import open_source


def corrections(
    file: Path, mapping: Mapping, labels: LabelSet, texts: Sequence[str]
) -> dict[str, int]:
    """The classes of those of `texts` that stand in the file.

    Raises: FixData for a row without text or label, with an unknown label, or when one text has
    two labels, naming the row.
    """
    found: dict[str, int] = {}
    for number, row in open_source(str(file)).rows():
        place = f"{file}, row {int(number)}"
        text = _text(row, mapping, place)
        column = mapping.label if mapping.label in row else "label"
        given = row.get(column or "label")
        if given is None:
            raise FixData(place, "it has no label", "rows that luthier label wrote")
        name = str(given)
        if name not in labels.names:
            close = nearest(name, labels.names)
            raise FixData(
                place, f"the label {name!r} is unknown", ", ".join(labels.names),
                f"did you mean {close!r}?" if close else "",
            )  # fmt: skip
        number_of, plain = labels.names.index(name), normalise(text)
        if found.get(plain, number_of) != number_of:
            raise FixData(place, "its text has another label in an earlier row", "one for each")
        found[plain] = number_of
    return {text: found[plain] for text in texts if (plain := normalise(text)) in found}


def _text(row: dict[str, object], mapping: Mapping, place: str) -> str:
    """The input of a row: what training read, else `text`."""
    columns = ("text",) if "text" in row else mapping.text
    missing = [column for column in columns if column not in row]
    if missing or not columns:
        raise FixData(place, "it has no text", "rows that luthier label wrote")
    return mapping.separator.join("" if row[c] is None else str(row[c]) for c in columns)
