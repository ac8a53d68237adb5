"""`safety.privacy:` training under differential privacy."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from luthier.recipe.section import Section


class Privacy(Section):
    """Differentially private training; the numbers are the promise that is kept."""

    epsilon: float = Field(gt=0, allow_inf_nan=False)
    """How much one unit may change what comes out; 8 is weak, 3 usual, 1 strong."""
    delta: float | Literal["auto"] = "auto"
    """Chance that the promise fails; `auto` is below one in the number of units."""
    unit: Literal["example", "column"] = "example"
    """Whose data is hidden: one row, or all rows that share a value of `column`."""
    column: str | None = None
    """The column that names the unit, such as a patient or an account."""
    batch_size: int | Literal["auto"] = "auto"
    """Expected rows of one private update; larger is better for accuracy."""
    clipping: Literal["automatic", "flat"] = "automatic"
    """How each example's gradient is bounded."""
    clip_norm: float = Field(1.0, gt=0)
    """The bound of `flat` clipping."""
    dataset_budget: float | None = Field(None, gt=0)
    """Largest epsilon of all private runs on this data set together."""
    audit: bool = True
    """Check the mechanism with planted gradients while training."""
    force: bool = False
    """Train although the planner finds the setting meaningless."""

    @model_validator(mode="after")
    def _column_named(self) -> Privacy:
        if (self.unit == "column") != (self.column is not None):
            raise ValueError("`unit: column` and `column: NAME` belong together")
        if self.delta != "auto" and not 0 < self.delta < 1:
            raise ValueError(f"delta is {self.delta}; it lies between 0 and 1")
        return self
