"""Shortcuts: words out of proportion in the data that the model was seen to lean on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from luthier.explain.attribution import Passage
from luthier.explain.bias.finding import Finding, corrected
from luthier.explain.change.association import Association
from luthier.explain.change.paired import mean_of
from luthier.explain.change.removal import Removed, removable, removed
from luthier.explain.subject import Subject

MEASURE = "log odds lost without the word, beyond another word of the row"
OWN = "log odds lost without the word"
LEAST = 0.1
"""Log odds: a smaller effect is not called a shortcut, however sure it is."""
MOST_ROWS = 40

Verdict = Literal["shortcut", "not confirmed", "cannot say"]


@dataclass(frozen=True)
class Shortcut:
    """What removing an associated word did: before and after fine-tuning, with the finding on the
    tuned model. `turned` is the share of rows whose answer left the label."""

    word: Association
    finding: Finding
    verdict: Verdict
    turned: float | None = None
    effect: float | None = None
    before: float | None = None

    def told(self, labels: Sequence[str]) -> dict[str, Any]:
        """JSON-ready."""
        one, found = self.word, self.finding
        return {
            "word": one.word, "label": labels[one.label], "rows": one.rows, "share": one.share,
            "base": one.base, "z": one.z, "p_value": one.p_value, "verdict": self.verdict,
            "why": found.why, "read": found.rows, "effect": self.effect, "apart": found.value,
            "low": found.low, "high": found.high, "effect_p_value": found.p_value,
            "turned": self.turned, "effect_before": self.before,
        }  # fmt: skip


def effects(
    subject: Subject,
    words: Sequence[Association],
    passages: Sequence[Passage],
    seed: int,
) -> list[Removed | None]:
    """What removing each word does in the first 40 passages that hold it; None where none does."""
    found: list[Removed | None] = []
    for one in words:
        held = [p for p in passages if removable(p, one.word)][:MOST_ROWS]
        found.append(removed(subject, held, one.word, one.label, seed) if held else None)
    return found


def confirmed(
    words: Sequence[Association],
    before: Sequence[Removed | None],
    after: Sequence[Removed | None],
) -> list[Shortcut]:
    """Each word with its verdict, in order; all removals are corrected together (Holm).

    A word has to lower the score by itself too: where the other words of its rows speak against the
    label, one that does nothing stands apart from them as well.
    """
    findings, own = (
        corrected(
            [mean_of(name, word.word, values) for word, values in zip(words, each, strict=True)]
        )
        for name, each in (
            (MEASURE, [_NONE if e is None else e.apart for e in after]),
            (OWN, [_NONE if e is None else e.word for e in after]),
        )
    )
    return [
        Shortcut(
            one,
            finding,
            _verdict(finding, alone),
            None if new is None else float(new.turned.mean()),
            None if new is None else float(new.word.mean()),
            None if old is None else float(old.word.mean()),
        )
        for one, finding, alone, old, new in zip(words, findings, own, before, after, strict=True)
    ]


_NONE = np.zeros(0)


def _verdict(*findings: Finding) -> Verdict:
    if any(one.verdict == "cannot say" for one in findings):
        return "cannot say"
    sure = (one.verdict == "found" and (one.low or 0.0) >= LEAST for one in findings)
    return "shortcut" if all(sure) else "not confirmed"
