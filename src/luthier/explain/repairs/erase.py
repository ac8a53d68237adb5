"""Concept erasure: no linear reader of the vectors can tell words of groups apart any more."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from luthier.core.seeds import derive
from luthier.explain.attribution import Ids
from luthier.explain.bias.probe import swaps
from luthier.explain.bias.swap import mentions
from luthier.explain.bias.terms import Lexicon
from luthier.explain.repair import Change, Concept, TrainingRows, Variant
from luthier.explain.repairs.variants import need
from luthier.train.step import Objective

CARRIERS, EXCHANGED, PLAIN = 40, 100, 1000
"""Rows that carry every word of a mention, rows whose own word is exchanged for all of its kind,
and rows as they stand, which say what vectors vary by anyway."""


@dataclass(frozen=True)
class Erase:
    """One word per concept: a single "names a group" hardly moves what words do to answers.

    Source: Belrose et al. 2023, "LEACE: Perfect Linear Concept Erasure in Closed Form".
    """

    name: str = "erase"

    def change(self, rows: TrainingRows, lexicon: Lexicon, seed: int) -> Change:
        """Texts with each word in the same place, and plain ones."""
        dice = np.random.default_rng(derive(seed, "erased"))
        order = [int(i) for i in dice.permutation(len(rows.texts))]
        plain = [row for row in order if not mentions(rows.texts[row], lexicon)]
        named = _named(rows, lexicon, plain[:CARRIERS], order)
        need([variant for variant, _ in named])
        terms = {term.word: place for place, term in enumerate(lexicon.terms)}
        rest = plain[:PLAIN]
        return Change(
            concept=Concept(
                (*(v.text for v, _ in named), *(rows.texts[row] for row in rest)),
                np.asarray([*(v.row for v, _ in named), *rest], np.int64),
                np.asarray([*(terms[word] for _, word in named), *([-1] * len(rest))], np.int64),
            )
        )

    def objective(self, inner: Objective, groups: Ids | None) -> Objective:
        """The losses as they are."""
        return inner


def _named(
    rows: TrainingRows, lexicon: Lexicon, carriers: list[int], order: list[int]
) -> list[tuple[Variant, str]]:
    """Texts that differ in one word of a group, with the word."""
    found = []
    given = [t for t in lexicon.mentions if not t.held]
    for place, row in enumerate(carriers if given else []):
        template = given[place % len(given)]
        for term in lexicon.of(template.kind, "repair"):
            found.append((Variant(row, template.filled(term.word, rows.texts[row])), term.word))
    own = [row for row in order if mentions(rows.texts[row], lexicon)][:EXCHANGED]
    for swap in swaps([rows.texts[row] for row in own], lexicon, "repair"):
        found.append((Variant(own[swap.row], swap.text), swap.new))
    return found
