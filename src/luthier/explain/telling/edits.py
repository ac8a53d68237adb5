"""The smallest changes of a text that were seen to change the answer.

Source: Ross et al. 2021, "Explaining NLP Models via Minimal Contrastive Editing", section 3, with
deletions and a given list of words in place of a writing model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from luthier.explain.attribution import Passage
from luthier.explain.telling.reader import Reader, edited

Change = tuple[int, str | None]


@dataclass(frozen=True)
class Edit:
    """Words exchanged or taken out, and what the model then said, with what chance."""

    changes: tuple[Change, ...]
    text: str
    answer: int
    chance: float


@dataclass(frozen=True)
class Search:
    """How far is looked: `places` heaviest words, `words` in place of each, `width` texts kept,
    `most` changes. All texts tried have `read` tokens at most, so a long text has fewer tried."""

    places: int = 8
    width: int = 4
    most: int = 3
    words: int = 6
    read: int = 25_000


def smallest_edits(
    reader: Reader,
    passage: Passage,
    order: Sequence[int],
    near: Callable[[str], Sequence[str]],
    how: Search | None = None,
) -> list[Edit]:
    """Texts with the fewest changes that get another answer, the surest first; at most three.

    `order` are words by weight; `near` gives words that may take the place of one.
    """
    how = how or Search()
    first = int(reader.chances([passage.text])[0].argmax())
    rounds = min(how.most, len(passage.words) - 1)
    left = max(how.most * how.places, how.read // len(passage.ids))
    words = min(how.words, left // (how.most * how.places) - 1)
    options = {w: [None, *near(passage.spelt[w])[:words]] for w in order[: how.places]}
    beam: list[tuple[Change, ...]] = [()]
    for done in range(rounds):
        # The best of the texts so far are changed first, and at their heaviest words.
        tried = list(_grown(beam, options))[: left // (rounds - done)]
        left -= len(tried)
        if not tried:
            break
        texts = [edited(passage, changes) for changes in tried]
        chances = reader.chances(texts)
        found = [
            Edit(changes, text, int(row.argmax()), float(row.max()))
            for changes, text, row in zip(tried, texts, chances, strict=True)
            if int(row.argmax()) != first and text
        ]
        if found:
            return sorted(found, key=lambda e: -e.chance)[:3]
        ranked = sorted(range(len(tried)), key=lambda i: float(chances[i, first]))
        beam = [tried[i] for i in ranked[: how.width]]
    return []


def _grown(
    beam: Sequence[tuple[Change, ...]], options: dict[int, list[str | None]]
) -> dict[tuple[Change, ...], None]:
    """Every way to change one more word, once."""
    found: dict[tuple[Change, ...], None] = {}
    for changes in beam:
        taken = {word for word, _ in changes}
        for word, news in options.items():
            for new in news if word not in taken else ():
                found[tuple(sorted([*changes, (word, new)], key=lambda c: c[0]))] = None
    return found
