"""`safety.adversarial.spelling`: words of the training rows, kept with the model for its use."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from luthier.core.errors import FixRecipe
from luthier.core.files import write_json
from luthier.data.feed.contract import PromptContract
from luthier.models.base import Base
from luthier.recipe.recipe import Recipe
from luthier.safety.lexicon import FUNCTION_WORDS, whole_words
from luthier.screen.reading.spelling import Spelling
from luthier.screen.reading.synonyms import Synonyms
from luthier.stages.prepare import Prepared

FILE = "spelling.json"
_PLACE = "safety.adversarial.spelling"
_UNKNOWN = "safety.adversarial.unknown_words"


def wanted(recipe: Recipe) -> bool:
    """Whether a recipe asks for slips to be undone."""
    adversarial = recipe.safety.adversarial if recipe.safety else None
    return adversarial is not None and adversarial.spelling


def learn_spelling(
    recipe: Recipe, prepared: Prepared, base: Base, contract: PromptContract
) -> PromptContract:
    """The contract that undoes slips in words near those of the training rows.

    Raises: FixRecipe where texts are no encoder's.
    """
    if not wanted(recipe):
        return contract
    if base.kind != "encoder":
        why = "the model writes or fills in words itself"
        raise FixRecipe(_PLACE, why, advice="leave it out")
    texts = prepared.table.column("text")
    assert texts is not None
    rows = [str(texts[int(i)]) for i in prepared.splits.train]
    return _with(contract, Spelling.learn(rows, _known(base), unknown=_unknown(recipe, base)))


def save_spelling(contract: PromptContract, place: Path) -> None:
    """Writes the words of a contract that knows some."""
    known = contract.canonical
    if isinstance(known, Synonyms):
        known = known.before
    if isinstance(known, Spelling):
        kept = {"rows": dict(known.rows), "pairs": dict(known.pairs), "texts": known.texts}
        write_json(place / FILE, kept)


def load_spelling(
    recipe: Recipe, base: Base, contract: PromptContract, place: Path
) -> PromptContract:
    """The contract with the words that were kept."""
    if not wanted(recipe):
        return contract
    kept: dict[str, Any] = json.loads((place / FILE).read_text(encoding="utf-8"))
    taught = kept["rows"], kept.get("pairs", {}), kept.get("texts", 1)
    return _with(contract, Spelling(taught[0], _known(base), *taught[1:], _unknown(recipe, base)))


def _unknown(recipe: Recipe, base: Base) -> str | None:
    """The token that stands for all unknown words, where the recipe asks for one."""
    adversarial = recipe.safety.adversarial if recipe.safety else None
    if adversarial is None or adversarial.unknown_words == "keep":
        return None
    token: str | None = base.tokenizer.unk_token
    if token is None:
        why = "the tokenizer of the model has no token for unknown words"
        raise FixRecipe(_UNKNOWN, why, advice="leave it out")
    return token


def _known(base: Base) -> tuple[str, ...]:
    """Words of the vocabulary, which lists the frequent ones first."""
    words = whole_words(base.tokenizer, FUNCTION_WORDS)
    return tuple(dict.fromkeys(words[token] for token in sorted(words)))


def _with(contract: PromptContract, spelling: Spelling) -> PromptContract:
    return replace(contract, canonical=spelling, spelling=spelling.hash)
