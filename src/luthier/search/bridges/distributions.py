"""Optuna itself, when it is installed, and what a space is called there."""

from __future__ import annotations

import importlib.util
from typing import Any

from luthier.core.errors import need_extra
from luthier.search.parameter import Range
from luthier.search.space import Space


def installed() -> bool:
    """Whether Optuna can be imported."""
    return importlib.util.find_spec("optuna") is not None


def load_optuna(purpose: str) -> Any:
    """The package, told to speak of warnings only.

    Raises: InstallExtra.
    """
    if not installed():
        raise need_extra("tune", "optuna", purpose)
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def distributions(space: Space) -> dict[str, Any]:
    """Optuna's distribution of each parameter: floats for ranges, categories for choices. Priors
    have no counterpart there.

    Raises: InstallExtra.
    """
    kinds = load_optuna("a space for Optuna").distributions
    return {
        p.name: kinds.FloatDistribution(p.low, p.high, log=p.log)
        if isinstance(p, Range)
        else kinds.CategoricalDistribution(p.options)
        for p in space.parameters
    }
