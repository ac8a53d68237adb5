"""The neighbour lexicon of a base, made once and kept."""

from __future__ import annotations

import tempfile
from pathlib import Path

from luthier.core.hashing import hash_value
from luthier.core.progress import Progress
from luthier.models.base import Base
from luthier.safety.lexicon import VERSION, Lexicon, build_lexicon, whole_words
from luthier.store.artefacts import Artefacts


def lexicon_of(base: Base, artefacts: Artefacts | None, progress: Progress) -> Lexicon:
    """The neighbours of every whole word of a base, from its own input embeddings."""
    key = hash_value({"stage": f"lexicon {VERSION}", "base": base.hash})
    shelf = artefacts.shelf(key) if artefacts else None
    if shelf is not None:
        return Lexicon.load(shelf)
    progress.start("neighbours of words", None, "")
    network: object = base.network
    weight = network.get_input_embeddings().weight  # type: ignore[attr-defined]
    found = build_lexicon(weight.detach().float().cpu().numpy(), whole_words(base.tokenizer))
    if artefacts is not None:
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary) / "lexicon"
            folder.mkdir()
            found.save(folder)
            artefacts.shelve(key, folder)
    return found
