"""How much of an answer rests on words that name groups of people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from luthier.explain.attribution import Attribution, Passage
from luthier.explain.bias.finding import FEWEST
from luthier.explain.bias.probed import plain
from luthier.explain.bias.rates import weights_of
from luthier.explain.bias.swap import mentions
from luthier.explain.bias.terms import Lexicon


def mass(
    passages: Sequence[Passage], found: Sequence[Attribution], lexicon: Lexicon, draws: int,
    seed: int,
) -> dict[str, Any]:  # fmt: skip
    """The share of all scores that words of the lexicon get, and their share of the words.

    Texts without such a word are left out; with fewer than 30 left, there is no share.
    """
    named, even = [], []
    for passage, one in zip(passages, found, strict=True):
        told = mentions(passage.text, lexicon)
        on = [any(m.start < stop and start < m.stop for m in told) for start, stop in passage.words]
        whole = float(np.abs(one.scores).sum())
        if any(on) and whole > 0:
            named.append(float(np.abs(one.scores[on]).sum()) / whole)
            even.append(float(np.mean(on)))
    if len(named) < FEWEST:
        why = f"{len(named)} of the texts explained name a group, {FEWEST} are needed"
        return {"rows": len(named), "why": why}
    weights = weights_of(len(named), draws, seed) / len(named)
    return {
        "rows": len(named),
        "share": plain(weights @ np.asarray(named)),
        "share_of_words": plain(weights @ np.asarray(even)),
        "above_even": plain(weights @ (np.asarray(named) - np.asarray(even))),
    }
