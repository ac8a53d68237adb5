"""What attacks on a classifier, and hardening against them, take beside training."""

from __future__ import annotations

from luthier.core.types import Task
from luthier.recipe.recipe import Recipe

USUAL = 4
"""Attacks that a run tries."""
SPENT = 0.55
"""Share of its queries that an attack spends on a text, on the mean: many give way early."""
JUDGED = 1.3
"""Forward passes for each query: changes that might alter the meaning are read by the base too."""


def attacking(recipe: Recipe, training: float, forward: float) -> float:
    """Seconds beside `training` for what `safety.checks` asks; `forward` are those of one text.

    Hardening trains once more, and attacks before and after that.
    """
    checks = recipe.safety.checks if recipe.safety is not None else None
    if checks is None or recipe.task is not Task.CLASSIFY:
        return 0.0
    once = USUAL * checks.rows * checks.queries * SPENT * JUDGED * forward
    hardening = training + 2 * once if checks.harden else 0.0
    return hardening + (once if checks.attack else 0.0)
