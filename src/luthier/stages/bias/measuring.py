"""The probes of a lexicon and what a classifier says to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from luthier.core.progress import Progress
from luthier.explain.attribution import Floats
from luthier.explain.bias.probe import Draw, Probe, around, sentences
from luthier.explain.bias.terms import Lexicon
from luthier.stages.bias.asked import Rows
from luthier.stages.bias.reading import Reader

HELD, SEEN, NEUTRAL = "held-out words", "repair words", "neutral words"
SENTENCES, AROUND = "sentences", "around rows"


@dataclass(frozen=True, order=True)
class Place:
    """Which words stand in what, and how they stand there."""

    words: str
    source: str
    kind: str

    def __str__(self) -> str:
        return f"{self.words} in {self.source}" if self.source == SENTENCES else (
            f"{self.words} {self.source}"
        )  # fmt: skip


def probes_of(
    lexicon: Lexicon, rows: Rows, carriers: int, seed: int, positive: Sequence[int] = ()
) -> dict[Place, Probe]:
    """Every probe that has words and sentences; `positive` are the classes declared as flagged.

    Held-out words stand in held-out sentences, the others in the others, so that what a repair has
    seen and what it has not never meet. Neutral words stand in held-out ones.
    """
    found: dict[Place, Probe] = {}
    for kind in dict.fromkeys(t.kind for t in (*lexicon.templates, *lexicon.mentions)):
        lists = {
            HELD: (tuple(t.word for t in lexicon.of(kind, "held")), True),
            SEEN: (tuple(t.word for t in lexicon.of(kind, "repair")), False),
            NEUTRAL: (tuple(lexicon.neutral.get(kind, ())), True),
        }
        for name, (words, held) in lists.items():
            if len(words) < 2:
                continue
            draw = Draw(carriers, seed, tuple(positive))
            probes = {
                SENTENCES: sentences(lexicon, words, kind, held),
                AROUND: around(rows.texts, rows.truth, lexicon, words, kind, held, draw),
            }
            found |= {Place(name, s, kind): p for s, p in probes.items() if p.carriers}
    return found


def answered(
    probes: Mapping[Place, Probe], reader: Reader, progress: Progress
) -> dict[Place, Floats]:
    """The chances of the classes for every text of every probe (K times M, C)."""
    progress.start("asking about groups", sum(len(p.texts) for p in probes.values()), "texts")
    return {place: reader.chances(probe.texts, progress) for place, probe in probes.items()}
