"""`fewshot:` how a classifier is made where labels are few, or where there are none."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from luthier.recipe.section import Section

FEW, FEW_TUNED = 32, 100
"""Labelled rows per class, in the median, below which `auto` takes the ladder: the latter where
its rungs may tune the encoder."""


class Fewshot(Section):
    """The ladder of rungs from no labels to many; a rung is chosen by evidence."""

    enabled: Literal["auto", "on", "off"] = "auto"
    """Take the ladder; `auto` where labels are few and the recipe says nothing of training."""
    descriptions: dict[str, str] = Field(default_factory=dict)
    """What each class means, by label; with it, classes need no labelled rows."""
    pool: str | None = None
    """A file of texts without labels, which the classifier will meet."""
    target_prior: dict[str, float] = Field(default_factory=dict)
    """Shares of the classes where the classifier will be used; left out, as they come out."""
    rungs: tuple[str, ...] = ()
    """Rungs that may be taken, by name; left out, all."""
    minutes: float = Field(5.0, ge=0)
    """Longest that tuning the encoder may take, as expected beforehand; 0 leaves it as it is."""
    earlier: bool = True
    """Try the encoders that earlier runs of the store tuned on other data."""
    risk: float = Field(0.1, gt=0, lt=1)
    """Largest share of wrong answers above the score from which an answer may be trusted."""
    target: float | None = Field(None, gt=0, lt=1)
    """Share of right answers that is wanted; the report says how many labels it takes."""

    @model_validator(mode="after")
    def _shares(self) -> Fewshot:
        total = sum(self.target_prior.values())
        if self.target_prior and abs(total - 1) > 0.01:
            raise ValueError(f"`target_prior` adds up to {total:g}; shares add up to 1")
        if any(share <= 0 for share in self.target_prior.values()):
            raise ValueError("every share in `target_prior` is above 0")
        return self
