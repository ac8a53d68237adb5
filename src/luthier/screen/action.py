"""What follows from findings: pass on, redact, block, ask a person, or write the answer again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from luthier.screen.rule import Group, Span
from luthier.screen.surrogate import Surrogates

Action = Literal["off", "allow", "redact", "block", "human", "regenerate"]
ORDER: tuple[Action, ...] = ("off", "allow", "redact", "regenerate", "human", "block")
"""From the mildest on; of several the last counts."""


@dataclass(frozen=True)
class Verdict:
    """What happens to a text: the action, the text that goes on ("" when blocked), the findings."""

    action: Action
    text: str
    found: tuple[Span, ...]

    @property
    def counts(self) -> dict[str, int]:
        """How many findings of each kind."""
        counts: dict[str, int] = {}
        for span in self.found:
            counts[span.kind] = counts.get(span.kind, 0) + 1
        return dict(sorted(counts.items()))


def judge(
    text: str, found: Iterable[Span], actions: Mapping[Group, Action], surrogates: Surrogates
) -> Verdict:
    """The verdict on a text; groups without an action are allowed."""
    spans = tuple(found)
    action = strongest(actions.get(span.group, "allow") for span in spans)
    if action in ("block", "regenerate"):
        return Verdict(action, "", spans)
    return Verdict(action, redacted(text, spans, actions, surrogates), spans)


def strongest(actions: Iterable[Action]) -> Action:
    """The strictest of some actions; `allow` when there is none."""
    return max(actions, key=ORDER.index, default="allow")


def redacted(
    text: str, found: Iterable[Span], actions: Mapping[Group, Action], surrogates: Surrogates
) -> str:
    """The text with a surrogate for every finding whose group says `redact`."""
    parts, at = [], 0
    for span in sorted(found):
        if actions.get(span.group) != "redact" or span.start < at:
            continue
        parts += [text[at : span.start],
                  surrogates.write(text[span.start : span.end], span.kind, span.group)]  # fmt: skip
        at = span.end
    return "".join([*parts, text[at:]])
