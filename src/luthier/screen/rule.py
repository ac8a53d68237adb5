"""What a rule is: a pattern with a length limit, a check of what it met, and words near it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

Group = Literal["personal", "secrets", "toxicity", "injection"]
NEAR = 48
"""Characters before a span in which its context words are looked for."""


@dataclass(frozen=True, order=True)
class Span:
    """A finding: characters `start` to `end` (exclusive), its kind, its group, score in (0, 1]."""

    start: int
    end: int
    kind: str
    group: Group = "personal"
    score: float = 1.0

    def shifted(self, by: int) -> Span:
        """The same finding `by` characters later."""
        return Span(self.start + by, self.end + by, self.kind, self.group, self.score)


@dataclass(frozen=True)
class Rule:
    """A kind of text that can be told by its form.

    `pattern` has bounded repetitions only, so a match is found in time linear in the text and is
    at most `longest` characters long. `hint` is a lower-case piece without which the pattern
    cannot match (one of several); it is looked for first because that is cheap. `context` are
    words of which one must stand shortly before. The group `value` of the pattern, if there is
    one, is what is reported. `open` rules match what a longer text could extend.
    """

    kind: str
    group: Group
    pattern: re.Pattern[str]
    longest: int
    check: Callable[[str], bool] | None = None
    context: re.Pattern[str] | None = None
    hint: tuple[str, ...] = ()
    score: float = 1.0

    def find(self, text: str, lower: str) -> Iterator[Span]:
        """Findings in `text`, whose lower-case form of equal length is `lower`."""
        if self.hint and not any(h in lower for h in self.hint):
            return
        if self.context and not self.context.search(text):
            return
        for met in self.pattern.finditer(text):
            start, end = met.span("value" if "value" in self.pattern.groupindex else 0)
            if start < 0 or (self.check and not self.check(text[start:end])):
                continue
            if self.context and not self.context.search(text, max(0, start - NEAR), start):
                continue
            yield Span(start, end, self.kind, self.group, self.score)


def words(*options: str) -> re.Pattern[str]:
    """A pattern that finds one of some words or phrases, in any case."""
    return re.compile(r"(?i)(?<![a-z])(?:" + "|".join(options) + r")(?![a-z])")
