"""`tune:` the search for better hyper-parameters before the run."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from luthier.recipe.section import Section

Value = float | int | str


class Bounds(Section):
    """What one parameter may be: a range, a list of options, or one fixed value."""

    low: float | None = None
    """Lower end of a range."""
    high: float | None = None
    """Upper end of a range."""
    log: bool = False
    """Search the range on a logarithmic scale."""
    options: tuple[Value, ...] | None = None
    """The values to choose from."""
    value: Value | None = None
    """One value: the parameter is not searched."""

    @model_validator(mode="after")
    def _one_form(self) -> Bounds:
        forms = [self.low is not None or self.high is not None, self.options is not None,
                 self.value is not None]  # fmt: skip
        if sum(forms) != 1 or (self.low is None) != (self.high is None):
            raise ValueError("give `low` and `high`, or `options`, or `value`")
        if self.low is not None and self.high is not None and not self.low < self.high:
            raise ValueError(f"low is {self.low} and high is {self.high}; low must be below high")
        if self.options is not None and not self.options:
            raise ValueError("`options` is empty")
        return self


class Tune(Section):
    """Search before the run; left out, the recipe is trained as it stands."""

    budget: str = "6x one run"
    """How much the search may spend: minutes, trials, or multiples of one ordinary run. It ends
    as soon as more is not expected to pay, but spends a time that is given, or runs that are
    far more than usual, up to twelve runs."""
    maximize: tuple[str, ...] = ("auto",)
    """The metric to make best, never replaced by another; several give a Pareto front."""
    subject_to: tuple[str, ...] = ()
    """Conditions the result must meet, such as `memory_mb <= 1500` or `ece <= 0.05`."""
    space: dict[str, Bounds] = Field(default_factory=dict)
    """Parameters by recipe key, added to the usual ones or in their place."""
    history: Literal["on", "off"] = "on"
    """Learn from earlier runs."""
    private: bool = False
    """Keep this search out of the history of later ones."""
    tenant: str = ""
    """Whose history is read and written; the history of one tenant never reaches another."""
    sources: tuple[str, ...] = ()
    """Proposal sources; empty takes the usual ones. `tpe` needs the extra `tune`."""
    executor: Literal["local", "ray"] = "local"
    """Where trials are trained: in this process, or on workers of a Ray cluster (`ray` extra)."""
    workers: int = Field(1, ge=1, le=256)
    """Trials trained at the same time; more than one needs `executor: ray`."""
    address: str | None = None
    """Of a running Ray cluster, such as `10.0.0.1:6379`; left out, one is started here."""
    stack: Literal["auto", "off"] = "auto"
    """Join the chosen network with a classifier of words and character sequences, made of the same
    training rows, where both together are surely better on validation rows (classification)."""
    seeds: int = Field(2, ge=0, le=10)
    """Further seeds for the best trials before one is chosen, while the budget lasts."""

    @field_validator("maximize", "subject_to", "sources", mode="before")
    @classmethod
    def _one_is_enough(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one_process_is_one_worker(self) -> Tune:
        if self.executor == "local" and self.workers > 1:
            raise ValueError(f"{self.workers} workers need `executor: ray`")
        if self.executor == "local" and self.address is not None:
            raise ValueError("an address needs `executor: ray`")
        return self

    @field_validator("space", mode="before")
    @classmethod
    def _short_forms(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {key: _bounds(bound) for key, bound in value.items()}


def _bounds(bound: Any) -> Any:
    """`[a, b, c]` stands for options and a plain value for one that is not searched."""
    if isinstance(bound, list | tuple):
        return {"options": list(bound)}
    return bound if isinstance(bound, dict | Bounds) else {"value": bound}
