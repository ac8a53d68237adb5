"""`repair.kind: blind`: words that name groups are masked before any text is read, kept with the
model for its use."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from pathlib import Path

from luthier.core.errors import FixRecipe
from luthier.core.files import write_json
from luthier.core.hashing import hash_value
from luthier.data.feed.contract import Canonical, PromptContract
from luthier.explain.bias.terms import read_terms
from luthier.recipe.recipe import Recipe

FILE = "blind.json"
PLACE = "repair.kind"
INSTEAD = "person"


@dataclass(frozen=True)
class Masked:
    """A text with words masked, and the way back; `starts` and `ends` are where the words stood in
    the text given."""

    given: str
    starts: tuple[int, ...]
    ends: tuple[int, ...]

    @cached_property
    def text(self) -> str:
        """The text with the same word in every place."""
        marks = [0, *(m for ends in zip(self.starts, self.ends, strict=True) for m in ends)]
        kept = [self.given[a:b] for a, b in pairwise([*marks, len(self.given)])][::2]
        return INSTEAD.join(kept)

    def back(self, start: int, stop: int) -> tuple[int, int]:
        """Where a part of the masked text was; a part of a masked word is the whole word."""
        return self._place(start, False), self._place(stop, True)

    def _place(self, at: int, closing: bool) -> int:
        places = self._masked
        # A part that ends where a word begins does not hold it.
        index = bisect_right(places, at - closing) - 1
        if index < 0:
            return at
        inside = at - places[index]
        if inside < len(INSTEAD) + closing:
            return self.ends[index] if closing else self.starts[index]
        return self.ends[index] + inside - len(INSTEAD)

    @cached_property
    def _masked(self) -> list[int]:
        """Where the words stand in the masked text."""
        found, moved = [], 0
        for start, stop in zip(self.starts, self.ends, strict=True):
            found.append(start + moved)
            moved += len(INSTEAD) - (stop - start)
        return found


@dataclass(frozen=True)
class Blinded:
    """What a contract does to a text, and then the mask."""

    words: tuple[str, ...]
    inner: object = None

    @property
    def hash(self) -> str:
        """A hash of the words."""
        return hash_value([INSTEAD, sorted(self.words)])

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        words = sorted(self.words, key=len, reverse=True)
        return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, words))})(?!\w)", re.IGNORECASE)

    def __call__(self, text: str) -> Canonical:
        """The text as the model reads it."""
        first = self.inner(text) if callable(self.inner) else None
        plain = text if first is None else first.text
        places = [found.span() for found in self._pattern.finditer(plain)]
        masked = Masked(plain, tuple(a for a, _ in places), tuple(b for _, b in places))
        return masked if first is None else _Both(first, masked)


@dataclass(frozen=True)
class _Both:
    first: Canonical
    masked: Masked

    @property
    def text(self) -> str:
        """The text after both."""
        return self.masked.text

    def back(self, start: int, stop: int) -> tuple[int, int]:
        """Through both."""
        return self.first.back(*self.masked.back(start, stop))


def wanted(recipe: Recipe) -> bool:
    """Whether a recipe asks for it."""
    return recipe.repair is not None and recipe.repair.kind == "blind"


def blind(recipe: Recipe, contract: PromptContract) -> PromptContract:
    """The contract that masks every word of the recipe's list.

    Raises: FixRecipe for a model that writes; FixData for a list that cannot be read.
    """
    if not wanted(recipe):
        return contract
    assert recipe.repair is not None
    if contract.spelling is not None or contract.synonyms is not None:
        name = "synonyms" if contract.spelling is None else "spelling"
        raise FixRecipe(
            PLACE, f"'blind' is not proved together with safety.adversarial.{name}",
            "one of the two",
        )  # fmt: skip
    if contract.template is not None or contract.masking is not None:
        raise FixRecipe(PLACE, "the model writes or fills in words itself", "classify")
    terms = recipe.repair.terms
    lexicon = read_terms(None if terms is None else Path(terms))
    return _with(contract, tuple(term.word for term in lexicon.terms))


def save_blinding(contract: PromptContract, place: Path) -> None:
    """Writes the words of a contract that masks some."""
    if isinstance(contract.canonical, Blinded):
        write_json(place / FILE, {"words": list(contract.canonical.words)})


def load_blinding(recipe: Recipe, contract: PromptContract, place: Path) -> PromptContract:
    """The contract with the words that were kept."""
    if not wanted(recipe):
        return contract
    kept = json.loads((place / FILE).read_text(encoding="utf-8"))
    return _with(contract, tuple(kept["words"]))


def _with(contract: PromptContract, words: tuple[str, ...]) -> PromptContract:
    mask = Blinded(words, contract.canonical)
    return replace(contract, canonical=mask, blind=mask.hash)
