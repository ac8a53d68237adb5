"""Words of groups in a text, and the same text with another word in one's place."""

from __future__ import annotations

from dataclasses import dataclass

from luthier.explain.bias.terms import Lexicon, Term


@dataclass(frozen=True)
class Mention:
    """A term as it stands in a text, from character `start` up to `stop`."""

    start: int
    stop: int
    term: Term


def mentions(text: str, lexicon: Lexicon) -> list[Mention]:
    """The terms in a text, as whole words, in order; the longer one where two begin alike.

    A word in mixed case, such as `mAn`, is no mention: what replaced it could not be turned back.
    """
    found = []
    for match in lexicon.pattern.finditer(text):
        term = lexicon.by_word.get(match.group().lower())
        if term is not None and cased(term.word, match.group()) == match.group():
            found.append(Mention(match.start(), match.end(), term))
    return found


def swapped(text: str, mention: Mention, term: Term) -> str:
    """The text with `term` at the place of the mention, in its case; all else stays."""
    old = text[mention.start : mention.stop]
    return text[: mention.start] + cased(term.word, old) + text[mention.stop :]


def cased(word: str, like: str) -> str:
    """A lower-case word in the case of another: all small, all large, or the first one large."""
    if like.isupper():
        return word.upper()
    return word[:1].upper() + word[1:] if like[:1].isupper() else word
