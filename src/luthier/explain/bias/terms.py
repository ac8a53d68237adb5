"""Words that name groups of people, which of them a repair may see, and texts to put them in."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from luthier.core.errors import FixData
from luthier.core.hashing import hash_value

Part = Literal["repair", "held"]
BUILT_IN = Path(__file__).with_name("terms.json")
TEXT = "{text}"


@dataclass(frozen=True)
class Term:
    """A word of a group: `axis` is what it tells of a person, `kind` how it stands in a sentence.

    Words of one axis and kind may stand for each other; a repair sees those of part `repair`.
    """

    word: str
    axis: str
    kind: str
    part: Part


@dataclass(frozen=True)
class Template:
    """A sentence with a slot `{kind}`; with `{text}` it is put around a row instead.

    `harmful` says whether it belongs to the positive labels; None where that is the row's matter.
    """

    text: str
    kind: str
    held: bool
    harmful: bool | None = None

    def filled(self, word: str, row: str = "") -> str:
        """The sentence with the word, and the row's text where it takes one."""
        return self.text.replace("{" + self.kind + "}", word).replace(TEXT, row)


@dataclass(frozen=True)
class Lexicon:
    """Terms, neutral words for comparison by kind, sentences, and mentions put around rows."""

    terms: tuple[Term, ...]
    neutral: Mapping[str, tuple[str, ...]]
    templates: tuple[Template, ...]
    mentions: tuple[Template, ...]

    @cached_property
    def by_word(self) -> dict[str, Term]:
        """Terms by their word."""
        return {term.word: term for term in self.terms}

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Matches any term as a whole word, whatever its case."""
        words = sorted(self.by_word, key=len, reverse=True)
        return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, words))})(?!\w)", re.IGNORECASE)

    @property
    def fingerprint(self) -> str:
        """A hash of everything in it."""
        parts = (self.terms, self.templates, self.mentions)
        plain = [[vars(one) for one in part] for part in parts]
        return hash_value([*plain, {kind: list(words) for kind, words in self.neutral.items()}])

    def others(self, term: Term, part: Part | None = None) -> list[Term]:
        """The words that may stand in for `term`, in the order of the list."""
        return [
            t
            for t in self.terms
            if (t.axis, t.kind) == (term.axis, term.kind)
            and t.word != term.word
            and part in (None, t.part)
        ]

    def of(self, kind: str, part: Part | None = None) -> list[Term]:
        """Terms of a kind, in the order of the list."""
        return [t for t in self.terms if t.kind == kind and part in (None, t.part)]


def read_terms(file: Path | None = None) -> Lexicon:
    """The lexicon in a JSON file, or the built-in one in English.

    Raises: FixData for what is missing, doubled, or stands in both parts, with its place.
    """
    path = file or BUILT_IN
    try:
        given = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise FixData(str(path), f"it cannot be read as JSON: {error}", "a JSON object") from error
    if not isinstance(given, dict) or not isinstance(given.get("sets"), list):
        raise FixData(str(path), "there is no list 'sets'", "an object with 'sets' of words")
    unknown = set(given) - {"sets", "neutral", "templates", "mentions"}
    if unknown:
        raise FixData(
            str(path), f"unknown key {sorted(unknown)[0]!r}", "sets, neutral, templates, mentions"
        )
    terms = _terms(given["sets"], str(path))
    kinds = {term.kind for term in terms}
    return Lexicon(
        terms,
        {kind: tuple(words) for kind, words in given.get("neutral", {}).items()},
        tuple(_template(t, kinds, str(path), False) for t in given.get("templates", [])),
        tuple(_template(t, kinds, str(path), True) for t in given.get("mentions", [])),
    )


def _terms(sets: Sequence[Any], place: str) -> tuple[Term, ...]:
    found: list[Term] = []
    for number, one in enumerate(sets, start=1):
        where = f"{place}, set {number}"
        if not isinstance(one, dict) or not {"axis", "kind"} <= set(one):
            raise FixData(where, "axis or kind is missing", "axis, kind, repair, held")
        unknown = set(one) - {"axis", "kind", "repair", "held"}
        if unknown:
            raise FixData(where, f"unknown key {sorted(unknown)[0]!r}", "axis, kind, repair, held")
        parts: tuple[Part, Part] = ("repair", "held")
        for part in parts:
            for word in one.get(part, []):
                found.append(Term(_word(word, where), one["axis"], one["kind"], part))
        if not any((t.axis, t.kind) == (one["axis"], one["kind"]) for t in found):
            raise FixData(where, "it has no words", "words under repair, held or both")
    twice = [t.word for i, t in enumerate(found) if t.word in {f.word for f in found[:i]}]
    if twice:
        raise FixData(place, f"{twice[0]!r} stands in it twice", "each word once")
    if not found:
        raise FixData(place, "there are no words", "at least one set")
    return tuple(found)


def _word(word: Any, where: str) -> str:
    if not isinstance(word, str) or word != word.strip().lower() or len(word) < 2:
        raise FixData(
            where, f"{word!r} is no word", "lower case, two letters or more, no space around it"
        )
    return word


def _template(given: Any, kinds: set[str], place: str, around: bool) -> Template:
    if not isinstance(given, dict) or not isinstance(given.get("text"), str):
        raise FixData(place, f"a sentence is {given!r}", "an object with 'text'")
    text = given["text"]
    slots = [kind for kind in sorted(kinds) if "{" + kind + "}" in text]
    if len(slots) != 1:
        allowed = ", ".join("{" + kind + "}" for kind in sorted(kinds))
        raise FixData(place, f"{text!r} has {len(slots)} kinds of slot", f"one of {allowed}")
    if around != (TEXT in text):
        must = "must" if around else "must not"
        raise FixData(place, f"{text!r}: {TEXT} is misplaced", f"mentions {must} hold {TEXT}")
    harmful = given.get("harmful")
    if not around and not isinstance(harmful, bool):
        raise FixData(place, f"{text!r} does not say whether it is harmful", "true or false")
    return Template(text, slots[0], bool(given.get("held", False)), None if around else harmful)
