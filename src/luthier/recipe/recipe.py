"""The recipe: one file from which a run can be repeated."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator

from luthier.core.types import Task
from luthier.recipe.data import Data
from luthier.recipe.fewshot import Fewshot
from luthier.recipe.model import Adapter, Lora, Model
from luthier.recipe.repair import Repair
from luthier.recipe.safety.safety import Safety
from luthier.recipe.section import Section
from luthier.recipe.train import Evaluate, Fast, Train
from luthier.recipe.tune import Tune


class Recipe(Section):
    """Everything a run needs to know; every key but `data.train` may be left out."""

    name: str = Field("run", pattern=r"^[\w][\w .-]{0,63}$")
    """A short name for lists and reports."""
    task: Task | Literal["auto"] = "auto"
    """What the model is for; `auto` goes by the columns."""
    data: Data
    """Where the rows are."""
    model: Model = Model()
    """The base model."""
    adapter: Adapter = Lora()
    """Which parameters are trained."""
    train: Train = Train()
    """How the parameters are updated."""
    fast: Fast = Fast()
    """Which fast paths may be taken."""
    evaluate: Evaluate = Evaluate()
    """How the result is measured."""
    fewshot: Fewshot = Fewshot()
    """What is done where labels are few."""
    tune: Tune | None = None
    """The search before the run; left out, the recipe is trained as it stands."""
    safety: Safety | None = None
    """Privacy, robustness, filters and checks; left out, none of them."""
    repair: Repair | None = None
    """A change of the training against bias; left out, none."""

    @field_validator("adapter", mode="before")
    @classmethod
    def _lora_unless_named(cls, value: Any) -> Any:
        return {"kind": "lora", **value} if isinstance(value, dict) else value
