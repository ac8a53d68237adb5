"""The same texts with every word of a list in the same place, so that only the word differs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from luthier.core.seeds import derive
from luthier.explain.attribution import Ids
from luthier.explain.bias.swap import mentions, swapped
from luthier.explain.bias.terms import Lexicon, Part, Template

Source = Literal["templates", "mentions"]


@dataclass(frozen=True)
class Carrier:
    """What words are put into: a sentence, alone or around a row; `label` is the row's class."""

    template: Template
    row: int = -1
    label: int = -1


@dataclass(frozen=True)
class Draw:
    """Which rows words are put around: how many, by which seed; where classes are declared as
    flagged, as many of them as of the others, else as many of each class."""

    most: int
    seed: int
    positive: tuple[int, ...] = ()


@dataclass(frozen=True)
class Probe:
    """Carriers (K) by words (M): `texts` holds K times M of them, carrier by carrier."""

    words: tuple[str, ...]
    carriers: tuple[Carrier, ...]
    texts: tuple[str, ...]

    def truth(self, positive: Sequence[int]) -> np.ndarray:
        """Which carriers (K,) belong to the positive classes."""
        return np.asarray(
            [
                c.template.harmful if c.template.harmful is not None else c.label in positive
                for c in self.carriers
            ],
            bool,
        )


def sentences(lexicon: Lexicon, words: Sequence[str], kind: str, held: bool) -> Probe:
    """The lexicon's own sentences of one half, each with every word."""
    carriers = [Carrier(t) for t in lexicon.templates if t.kind == kind and t.held == held]
    return _filled(carriers, words, [""] * len(carriers))


def around(
    texts: Sequence[str],
    labels: Ids,
    lexicon: Lexicon,
    words: Sequence[str],
    kind: str,
    held: bool,
    draw: Draw,
) -> Probe:
    """Rows that name no group, with a mention of every word put around them; the mentions of one
    half take turns."""
    given = [t for t in lexicon.mentions if t.kind == kind and t.held == held]
    if not given:
        return Probe(tuple(words), (), ())
    dice = np.random.default_rng(derive(draw.seed, "carriers", str(held)))
    order = dice.permutation(len(texts))
    plain = [int(i) for i in order if not mentions(texts[int(i)], lexicon)]
    sides = np.isin(labels, draw.positive).astype(np.int64) if draw.positive else labels
    chosen = _level(plain, sides, draw.most)
    carriers = [
        Carrier(given[n % len(given)], row, int(labels[row])) for n, row in enumerate(chosen)
    ]
    return _filled(carriers, words, [texts[c.row] for c in carriers])


def _level(rows: Sequence[int], sides: Ids, most: int) -> list[int]:
    """Rows in turn from each side, until there are `most` or no more."""
    piles = [[r for r in rows if sides[r] == c] for c in sorted({int(sides[r]) for r in rows})]
    found: list[int] = []
    for depth in range(max((len(pile) for pile in piles), default=0)):
        found += [pile[depth] for pile in piles if depth < len(pile)]
    return found[:most]


def _filled(carriers: Sequence[Carrier], words: Sequence[str], texts: Sequence[str]) -> Probe:
    filled = [
        carrier.template.filled(word, text)
        for carrier, text in zip(carriers, texts, strict=True)
        for word in words
    ]
    return Probe(tuple(words), tuple(carriers), tuple(filled))


@dataclass(frozen=True)
class Swap:
    """A row's text with one word of a group exchanged for another of the same axis and kind."""

    row: int
    axis: str
    old: str
    new: str
    text: str


def swaps(
    texts: Sequence[str], lexicon: Lexicon, part: Part | None = None, each: int | None = None,
    seed: int = 0,
) -> list[Swap]:  # fmt: skip
    """Every exchange of the first mention in each text; with `part`, words of that part only, and
    texts that name a word of the other part give none. At most `each` per text, drawn by seed."""
    found: list[Swap] = []
    for row, text in enumerate(texts):
        seen = mentions(text, lexicon)
        if not seen or (part and any(m.term.part != part for m in seen)):
            continue
        others = lexicon.others(seen[0].term, part)
        if each is not None and len(others) > each:
            dice = np.random.default_rng(derive(seed, "swaps", row))
            others = [others[int(i)] for i in np.sort(dice.permutation(len(others))[:each])]
        old = seen[0].term
        found += [
            Swap(row, old.axis, old.word, new.word, swapped(text, seen[0], new)) for new in others
        ]
    return found
