"""A budget in the user's words: minutes, trials, or multiples of one ordinary run."""

from __future__ import annotations

import re
from dataclasses import dataclass

from luthier.core.errors import FixRecipe

_SECONDS = {"s": 1.0, "sec": 1.0, "min": 60.0, "h": 3600.0}
_ALLOWED = "such as '20min', '2h', '30 trials' or '5x one run'"


@dataclass(frozen=True)
class Limit:
    """How much a search may spend; exactly one of the three is given."""

    seconds: float | None = None
    trials: int | None = None
    runs: float | None = None

    @staticmethod
    def read(text: str) -> Limit:
        """The limit that a text names.

        Raises: FixRecipe for a text that names none, or nothing above zero.

        >>> Limit.read("20min").seconds, Limit.read("30 trials").trials
        (1200.0, 30)
        >>> Limit.read("5x one run").runs
        5.0
        """
        found = re.fullmatch(
            r"\s*(\d+(?:\.\d+)?)\s*(s|sec|min|h|trials?|x(?:\s+one\s+run)?)\s*", text.lower()
        )
        if found is None or float(found[1]) <= 0:
            raise FixRecipe("tune.budget", f"{text!r} is no budget", _ALLOWED)
        amount, unit = float(found[1]), found[2]
        if unit in _SECONDS:
            return Limit(seconds=amount * _SECONDS[unit])
        if unit.startswith("trial"):
            if amount != int(amount):
                raise FixRecipe("tune.budget", f"{text!r} is no whole number of trials", _ALLOWED)
            return Limit(trials=int(amount))
        return Limit(runs=amount)

    def share(self, seconds: float, trials: int, runs: float) -> float:
        """The part that is spent; 1 and more when nothing is left."""
        if self.seconds is not None:
            return seconds / self.seconds
        if self.trials is not None:
            return trials / self.trials
        return runs / (self.runs or 1.0)

    def in_runs(self, run_seconds: float) -> float:
        """How many ordinary runs it bears when one takes so long; trials count as whole runs."""
        if self.seconds is not None:
            return self.seconds / max(run_seconds, 1e-9)
        return float(self.trials) if self.trials is not None else (self.runs or 1.0)

    def without(self, run_seconds: float) -> Limit | None:
        """What is left when one ordinary run is put aside; None when nothing is, or where trials
        are counted."""
        if self.seconds is not None and self.seconds > run_seconds:
            return Limit(seconds=self.seconds - run_seconds)
        return Limit(runs=self.runs - 1) if self.runs is not None and self.runs > 1 else None

    def too_small(self, run_seconds: float, runs: float = 1.0, kept: float = 0.2) -> str | None:
        """Why nothing beside the first trial will be tried, when it takes so long, or so many
        ordinary runs, and the share `kept` of the budget stays for the end; None when there is
        room."""
        if self.share(run_seconds, 1, runs) < 1 - kept:
            return None
        need = f"one run is expected to take {run_seconds / 60:.1f} minutes"
        return (
            f"the budget of {self} leaves no room for a search ({need}): the recipe is trained "
            "as it stands; give tune.budget more"
        )

    def __str__(self) -> str:
        if self.seconds is not None:
            return f"{self.seconds / 60:g} minutes"
        return f"{self.trials} trials" if self.trials is not None else f"{self.runs:g}x one run"
