"""`safety.adversarial.synonyms`: groups of near words, kept with the model for its use."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from luthier.core.errors import FixRecipe
from luthier.core.files import write_json
from luthier.core.progress import Progress
from luthier.data.feed.contract import PromptContract
from luthier.models.base import Base
from luthier.recipe.recipe import Recipe
from luthier.safety.synonyms import groups
from luthier.screen.canonical import canonical
from luthier.screen.reading.synonyms import Synonyms
from luthier.stages.prepare import Prepared
from luthier.stages.safety.attacking.lexicon import lexicon_of

FILE = "synonyms.json"
_PLACE = "safety.adversarial.synonyms"


def wanted(recipe: Recipe) -> bool:
    """Whether a recipe asks for near words to be read as one."""
    adversarial = recipe.safety.adversarial if recipe.safety else None
    return adversarial is not None and adversarial.synonyms


def learn_synonyms(
    recipe: Recipe,
    prepared: Prepared,
    base: Base,
    contract: PromptContract,
    progress: Progress,
) -> PromptContract:
    """The contract that reads near words as one where the training labels allow it.

    Raises: FixRecipe where texts are no encoder's.
    """
    if not wanted(recipe):
        return contract
    if base.kind != "encoder":
        why = "the model writes or fills in words itself"
        raise FixRecipe(_PLACE, why, advice="leave it out")
    texts, labels = (prepared.table.column(name) for name in ("text", "label"))
    assert texts is not None and labels is not None
    rows = [int(i) for i in prepared.splits.train]
    lexicon = lexicon_of(base, None, progress)
    found = groups(lexicon, [str(texts[i]) for i in rows], [str(labels[i]) for i in rows])
    return _with(contract, found)


def save_synonyms(contract: PromptContract, place: Path) -> None:
    """Writes the groups of a contract that has some."""
    if isinstance(contract.canonical, Synonyms):
        write_json(place / FILE, dict(contract.canonical.read_as))


def load_synonyms(recipe: Recipe, contract: PromptContract, place: Path) -> PromptContract:
    """The contract with the groups that were kept."""
    if not wanted(recipe):
        return contract
    return _with(contract, json.loads((place / FILE).read_text(encoding="utf-8")))


def _with(contract: PromptContract, read_as: dict[str, str]) -> PromptContract:
    made = Synonyms(read_as, contract.canonical or canonical)
    return replace(contract, canonical=made, synonyms=made.hash)
