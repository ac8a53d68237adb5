"""The one engine of content filters: spans and scores of a text, the same for data and answers."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Protocol

from luthier.core.errors import FixRecipe, nearest
from luthier.screen.normal import normal
from luthier.screen.pieces import pieces
from luthier.screen.rule import Group, Rule, Span
from luthier.screen.rules.table import RULES


class Learned(Protocol):
    """Learned filters: what they find in one piece of text."""

    def find(self, piece: str) -> Iterable[Span]:
        """Findings in a piece; one over the whole piece where a filter judges it as a whole."""


@dataclass(frozen=True)
class Screen:
    """Rules and, where given, learned filters for some groups of findings.

    What is found in a text depends on that text alone: it is cut into pieces, and each piece is
    screened on its own.
    """

    groups: frozenset[Group] = frozenset({"personal", "secrets"})
    learned: Learned | None = None
    rules: tuple[Rule, ...] = RULES
    without: frozenset[str] = field(default_factory=frozenset)

    def __post_init__(self) -> None:
        known = {rule.kind for rule in self.rules} | LEARNED_KINDS
        for kind in self.without - known:
            near = nearest(kind, known)
            raise FixRecipe("without", f"there is no finding {kind!r}", f"did you mean {near!r}?")

    def find(self, text: str) -> list[Span]:
        """Findings in a text, in order, none overlapping another of a group that marks spans."""
        parts = pieces(text)
        # pieces are too short for a product to be shared out; whole pieces are shared out instead
        side_by_side = self.learned is not None and len(parts) > 1
        read = _readers(os.getpid()).map if side_by_side else map
        found: list[Span] = []
        start = 0
        for piece, spans in zip(parts, read(self.find_in, parts), strict=True):
            found += [span.shifted(start) for span in spans]
            start += len(piece)
        return found

    def find_in(self, piece: str) -> list[Span]:
        """Findings in one piece."""
        form = normal(piece)
        lower = _lower(form.text)
        met = [
            span
            for rule in self.rules
            if rule.group in self.groups and rule.kind not in self.without
            for span in rule.find(form.text, lower)
        ]
        marked = [_written(span, form.back(span.start, span.end)) for span in met]
        if self.learned is not None:
            marked += [
                span
                for span in self.learned.find(piece)
                if span.group in self.groups and span.kind not in self.without
            ]
        return settled(marked)


@lru_cache(maxsize=1)
def _readers(process: int) -> ThreadPoolExecutor:
    """Threads that read pieces; a forked process has none of its parent's and makes its own."""
    return ThreadPoolExecutor(min(os.cpu_count() or 1, 4), f"screen-{process}")


LEARNED_KINDS = frozenset(
    {"person", "address", "place", "organisation", "title", "group", "age", "date", "phone"}
    | {"contact", "number", "toxicity", "hate", "injection"}
)
WHOLE: frozenset[Group] = frozenset({"toxicity", "injection"})
"""Groups whose findings judge a piece and mark no data in it."""


def settled(found: Sequence[Span]) -> list[Span]:
    """Findings in order; of two that overlap the earlier given stays and takes in the other.

    Findings of groups that judge whole pieces stay beside the others.
    """
    kept: list[Span] = []
    for span in found:
        if span.group in WHOLE:
            continue
        touching = [k for k in kept if k.start < span.end and span.start < k.end]
        for other in touching:
            kept.remove(other)
        first = touching[0] if touching else span
        ends = [span, *touching]
        kept.append(
            Span(min(s.start for s in ends), max(s.end for s in ends), first.kind, first.group,
                 max(s.score for s in ends))
        )  # fmt: skip
    return sorted([*kept, *(s for s in found if s.group in WHOLE)])


def _written(span: Span, place: tuple[int, int]) -> Span:
    return Span(*place, span.kind, span.group, span.score)


def _lower(text: str) -> str:
    """Lower case with the same length."""
    lower = text.lower()
    return lower if len(lower) == len(text) else "".join(
        low if len(low := c.lower()) == 1 else c for c in text
    )  # fmt: skip
