"""`evaluate.track:` explanations of a few rows, followed while training goes on."""

from __future__ import annotations

from pydantic import Field

from luthier.recipe.section import Section


class Track(Section):
    """Explanations that are followed while training goes on; tiny trainings are left alone."""

    rows: int = Field(12, ge=2, le=64)
    """Validation rows whose words are weighed at each look."""
    words: int = Field(5, ge=0, le=20)
    """Words out of proportion in the training rows that are taken out at each look."""
    looks: int = Field(8, ge=3, le=50)
    """Looks at most, the first before the first update and the last after the last."""
    share: float = Field(0.1, gt=0.0, le=0.2)
    """Work of all looks as a share of the training's; fewer looks are taken to keep it."""
