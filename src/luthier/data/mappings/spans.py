"""Rows of text with marked parts: offsets, or tokens with BIO tags."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from luthier.data.mappings.fields import Cells
from luthier.data.mappings.labels import text_of

if TYPE_CHECKING:
    from luthier.data.mappings.columns import Mapping

Span = list[Any]
START = ("start", "begin", "start_offset", "start_char", "offset")
END = ("end", "stop", "end_offset", "end_char")
TYPE = ("label", "type", "entity", "entity_type", "entity_group", "tag", "labels")
_ALLOWED = "Allowed: [[start, end, type], ...] or [{start, end, label}, ...], end exclusive"


def tag(mapping: Mapping, cells: Cells) -> dict[str, Any]:
    """{text, spans}; spans are [start, end, type] in order, offsets count characters.

    Raises: FixData for spans outside the text, empty, or overlapping.
    """
    if mapping.tokens:
        return _from_tokens(mapping, cells)
    text = text_of(mapping, cells)
    column = mapping.column("spans")
    value = cells.value(column)
    listed = [] if value in (None, "") else cells.listed(column)
    if listed is None:
        raise cells.refuse(f"the column {column!r} is not a list of spans", _ALLOWED)
    spans = sorted((_span(part, cells) for part in listed), key=lambda span: span[:2])
    _check(spans, text, cells)
    return {"text": text, "spans": spans}


def _span(part: Any, cells: Cells) -> Span:
    if isinstance(part, dict):
        found = [_first(part, names) for names in (START, END, TYPE)]
    else:
        found = list(part) if isinstance(part, list | tuple) else []
    if len(found) == 3 and isinstance(found[2], list) and len(found[2]) == 1:
        found[2] = found[2][0]
    if len(found) != 3 or not isinstance(found[2], str) or not found[2].strip():
        raise cells.refuse(f"{str(part)[:80]} is not a span", _ALLOWED)
    start, end = (_offset(value, cells) for value in found[:2])
    return [start, end, cells.sound(found[2].strip(), "spans")]


def _first(part: dict[str, Any], names: tuple[str, ...]) -> Any:
    return next((part[name] for name in names if part.get(name) is not None), None)


def _offset(value: Any, cells: Cells) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise cells.refuse(f"the offset {str(value)[:40]!r} is not a whole number", _ALLOWED)
    return value


def _check(spans: list[Span], text: str, cells: Cells) -> None:
    for start, end, kind in spans:
        if start >= end:
            raise cells.refuse(
                f"the span [{start}, {end}, {kind}] is empty: it starts at or after its end",
                _ALLOWED,
            )
        if start < 0 or end > len(text):
            raise cells.refuse(
                f"the span [{start}, {end}, {kind}] lies outside the text",
                f"The text has {len(text)} characters; offsets count them from 0",
            )
    for before, after in pairwise(spans):
        if after[0] < before[1]:
            raise cells.refuse(
                f"the spans {before} and {after} overlap",
                "Spans of a row do not overlap",
                "keep the longer one",
            )


def _from_tokens(mapping: Mapping, cells: Cells) -> dict[str, Any]:
    tokens_column, tags_column = mapping.column("tokens"), mapping.column("spans")
    tokens, tags = cells.listed(tokens_column), cells.listed(tags_column)
    if not tokens or tags is None or len(tokens) != len(tags):
        raise cells.refuse(
            f"the column {tokens_column!r} has {len(tokens or [])} tokens and {tags_column!r} "
            f"{len(tags or [])} tags",
            "Allowed: two lists of the same length, at least one token",
        )
    if not all(isinstance(tag, str) for tag in tags):
        raise cells.refuse(
            f"the tags in column {tags_column!r} are numbers without names",
            "Allowed: tag names such as O, B-PER, I-PER",
            "replace the numbers by names",
        )
    words = [cells.sound(str(token), tokens_column) for token in tokens]
    return {"text": " ".join(words), "spans": from_tags(words, [str(tag) for tag in tags])}


def from_tags(words: list[str], tags: list[str]) -> list[Span]:
    """Spans in the words joined by single spaces, from BIO, BILOU, BIOES or plain IO tags.

    >>> from_tags(["in", "New", "York"], ["O", "B-LOC", "I-LOC"])
    [[3, 11, 'LOC']]
    """
    spans: list[Span] = []
    at, running = 0, ""
    for word, tag in zip(words, tags, strict=True):
        mark, kind = _mark(tag)
        if kind and kind == running and mark in ("I", "E", "L"):
            spans[-1][1] = at + len(word)
        elif kind:
            spans.append([at, at + len(word), kind])
        running = "" if mark in ("E", "L", "S", "U") else kind
        at += len(word) + 1
    return [span for span in spans if span[0] < span[1]]


def _mark(tag: str) -> tuple[str, str]:
    tag = tag.strip()
    if tag.upper() in ("O", ""):
        return "O", ""
    if len(tag) > 2 and tag[1] in "-_" and tag[0].upper() in "BIESLU":
        return tag[0].upper(), tag[2:]
    return "I", tag
