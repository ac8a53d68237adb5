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
    """Each word with its verdict, in order; all removals are corrected together (Holm)."""
    nothing = np.zeros(0)
    findings = corrected(
        [
            mean_of(MEASURE, one.word, nothing if effect is None else effect.apart)
            for one, effect in zip(words, after, strict=True)
        ]
    )
    return [
        Shortcut(
            one,
            finding,
            _verdict(finding, new),
            None if new is None else float(new.turned.mean()),
            None if new is None else float(new.word.mean()),
            None if old is None else float(old.word.mean()),
        )
        for one, finding, old, new in zip(words, findings, before, after, strict=True)
    ]


def _verdict(finding: Finding, effect: Removed | None) -> Verdict:
    if finding.verdict == "cannot say" or effect is None or finding.low is None:
        return "cannot say"
    leans = finding.verdict == "found" and finding.low >= LEAST and effect.word.mean() > 0
    return "shortcut" if leans else "not confirmed"
