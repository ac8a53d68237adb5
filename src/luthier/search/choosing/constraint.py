"""Conditions on the result, such as `memory_mb <= 1500`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from luthier.core.errors import FixRecipe, nearest
from luthier.search.trial import Observation, Trial

LATER: Mapping[str, str] = {
    "epsilon": "differential privacy",
    "robust_accuracy": "adversarial testing",
    "fairness_gap": "bias measurement",
}
"""Measures that another part of the house will bring, and which."""


@dataclass(frozen=True)
class Constraint:
    """`measure` must be at most (`<=`) or at least (`>=`) `limit`."""

    measure: str
    at_most: bool
    limit: float

    @staticmethod
    def read(text: str, measures: Sequence[str]) -> Constraint:
        """The condition a text states over one of the known measures.

        Raises: FixRecipe for another form, or a measure that is not taken here.
        """
        found = re.fullmatch(r"\s*([a-z][\w@]*)\s*(<=|>=)\s*(-?\d+(?:\.\d+)?(?:e-?\d+)?)\s*", text)
        if found is None:
            raise FixRecipe("tune.subject_to", f"{text!r} is no condition",
                            "`measure <= number` or `measure >= number`")  # fmt: skip
        name = found[1]
        if name not in measures:
            if name in LATER:
                raise FixRecipe("tune.subject_to", f"{name!r} cannot be measured here: "
                                f"{LATER[name]} is not switched on", ", ".join(sorted(measures)),
                                "leave this condition out")  # fmt: skip
            near = nearest(name, measures)
            raise FixRecipe("tune.subject_to", f"there is no measure {name!r}",
                            ", ".join(sorted(measures)),
                            f"did you mean {near!r}?" if near else "")  # fmt: skip
        return Constraint(name, found[2] == "<=", float(found[3]))

    def excess(self, measures: Mapping[str, float]) -> float:
        """How far the limit is overstepped, as a share of it; 0 when it is met.

        A measure that is missing or not a number oversteps by an endless amount.
        """
        value = measures.get(self.measure, float("nan"))
        over = value - self.limit if self.at_most else self.limit - value
        if over != over:
            return float("inf")
        return max(0.0, over) / max(abs(self.limit), 1e-9)

    def __str__(self) -> str:
        return f"{self.measure} {'<=' if self.at_most else '>='} {self.limit:g}"


@dataclass(frozen=True)
class Conditions:
    """All conditions together; callable as the violation of an observation."""

    constraints: tuple[Constraint, ...] = ()

    def __call__(self, observation: Observation) -> float:
        """The sum of what each condition is overstepped by."""
        return sum(c.excess(observation.measures) for c in self.constraints)

    def demand_met(self, trials: Sequence[Trial]) -> None:
        """Passes when some trial meets all conditions.

        Raises: FixRecipe naming the closest trial and what it lacks.
        """
        looked = [t for t in trials if t.curve]
        if not self.constraints or any(self(t.curve[-1]) <= 0 for t in looked) or not looked:
            return
        closest = min(looked, key=lambda t: self(t.curve[-1]))
        lacks = [f"{c} (it has {closest.curve[-1].measures.get(c.measure, float('nan')):.4g})"
                 for c in self.constraints if c.excess(closest.curve[-1].measures) > 0]  # fmt: skip
        raise FixRecipe("tune.subject_to", f"no trial met {', '.join(map(str, self.constraints))}",
                        f"the closest, {closest.id}, missed {'; '.join(lacks)}",
                        "loosen the condition, or widen tune.space")  # fmt: skip
