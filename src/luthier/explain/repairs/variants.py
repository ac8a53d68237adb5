"""Rows with another person in them, made of words and sentences that a repair may see."""

from __future__ import annotations

import numpy as np

from luthier.core.errors import FixData
from luthier.core.seeds import derive
from luthier.explain.bias.probe import swaps
from luthier.explain.bias.swap import mentions
from luthier.explain.bias.terms import Lexicon
from luthier.explain.repair import TrainingRows, Variant


def exchanged(rows: TrainingRows, lexicon: Lexicon, each: int, seed: int) -> list[Variant]:
    """At most `each` variants of every row that names a group, one word exchanged in each."""
    found = swaps(rows.texts, lexicon, "repair", each, seed)
    return [Variant(swap.row, swap.text) for swap in found]


def mentioned(rows: TrainingRows, lexicon: Lexicon, each: int, seed: int) -> list[Variant]:
    """`each` variants of every row that names no group, with a mention of one put around it."""
    given = [t for t in lexicon.mentions if not t.held]
    words = {t.kind: lexicon.of(t.kind, "repair") for t in given}
    choices = [(t, term) for t in given for term in words[t.kind]]
    dice = np.random.default_rng(derive(seed, "mentions"))
    found = []
    for row, text in enumerate(rows.texts):
        if not choices or mentions(text, lexicon):
            continue
        for place in dice.integers(len(choices), size=each):
            template, term = choices[int(place)]
            found.append(Variant(row, template.filled(term.word, text)))
    return found


def need(found: list[Variant]) -> tuple[Variant, ...]:
    """The same as a tuple.

    Raises: FixData when there are none.
    """
    if not found:
        raise FixData(
            "the training rows", "none names a group, and there are no mentions to put around them",
            "rows with words that a repair may see, or mentions",
            "give a file of words and sentences of your own with --terms",
        )  # fmt: skip
    return tuple(found)
