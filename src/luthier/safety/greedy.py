"""The search shared by attacks that exchange words: the most important first, the worst at each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from luthier.safety.attack import Case, Probes, Scores, Search
from luthier.safety.words import with_words, word_ends

Ends = tuple[int, int]


def greedy(case: Case, near: Mapping[Ends, Sequence[str]], share: float) -> Search:
    """Texts that grow worse for the right answer; at most `share` of the words, at least one.

    Words are ordered by how much the right answer loses without them; then at each place the worst
    of `near` is taken. Of a long text only some words, drawn, are left out in turn, as half of the
    budget is for changes; the other words come behind them in drawn order. What is left of the
    budget goes into further rounds from other places, until three rounds in a row find nothing new
    to ask.

    Source: Jin et al. 2020, "Is BERT Really Robust?", algorithm 1.
    """
    places = [ends for ends, words in near.items() if words]
    if not places:
        return
    probed = max(1, case.queries // 2)
    if len(places) > probed:
        places = [places[i] for i in case.dice.permutation(len(places))]
    asked = places[:probed]
    left = yield Probes([case.text[:a] + case.text[b:] for a, b in asked])
    ranked = np.argsort(_truth(left, case), kind="stable")
    order = [*(asked[i] for i in ranked), *places[probed:]]
    most = max(1, round(share * len(word_ends(case.text))))
    seen: dict[str, tuple[float, bool]] = {}
    idle = 0
    while idle < 3:
        known = len(seen)
        yield from _climb(case, order, near, most, seen)
        idle = idle + 1 if len(seen) == known else 0
        order = [places[i] for i in case.dice.permutation(len(places))]


def _climb(
    case: Case,
    order: Sequence[Ends],
    near: Mapping[Ends, Sequence[str]],
    most: int,
    seen: dict[str, tuple[float, bool]],
) -> Search:
    """One pass over the places; `seen` holds the right answer's chance and whether it fell."""
    changes: dict[Ends, str] = {}
    chance = float(case.scores[case.truth])
    for place in order:
        if len(changes) >= most:
            break
        tried = [{**changes, place: word} for word in near[place]]
        texts = [with_words(case.text, list(t.items())) for t in tried]
        new = list(dict.fromkeys(t for t in texts if t not in seen))
        if new:
            scores = yield new
            # A changed answer that did not end the search was not valid: never built upon.
            turned = np.asarray(scores).argmax(1) != case.truth
            seen.update(zip(new, zip(_truth(scores, case), turned, strict=True), strict=True))
        found = [1.0 if seen[t][1] else float(seen[t][0]) for t in texts]
        worst = int(np.argmin(found))
        if found[worst] < chance:
            changes, chance = tried[worst], found[worst]


def _truth(scores: object, case: Case) -> Scores:
    assert isinstance(scores, np.ndarray)
    found: Scores = scores[:, case.truth]
    return found
