"""How many rows may be lost to the length limit before that is taken for a mistake."""

from __future__ import annotations

from luthier.core.errors import FixData
from luthier.core.types import Finding, Level
from luthier.data.feed.encode import Encoded
from luthier.recipe.recipe import Recipe

DROPPED_SHARE = 0.1
"""With more rows than this left out, the length limit or the rows are taken to be wrong."""


def refuse_losses(encoded: Encoded, recipe: Recipe) -> None:
    """Stops when too many rows have nothing left to learn.

    With `model.overlong: drop` the recipe asks for it, and as many as it takes are left out.

    Raises: FixData with the share and the first rows.
    """
    lost = encoded.count.dropped_rows
    share = lost / max(1, lost + len(encoded))
    if share <= DROPPED_SHARE or recipe.model.overlong == "drop":
        return
    rows = Finding.at("", Level.ERROR, "", lost, encoded.count.dropped).where(5)
    raise FixData(
        f"{recipe.data.train}, rows {rows}",
        f"{lost} rows ({share:.0%}) have nothing left to learn within the longest input",
        f"at most {DROPPED_SHARE:.0%}",
        "raise model.max_tokens, shorten the prompts, or set model.overlong: drop to go on",
    )
