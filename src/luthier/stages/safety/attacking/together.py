"""Parts of `safety:` that cannot go together, told before anything is trained."""

from __future__ import annotations

from luthier.core.errors import FixRecipe
from luthier.core.types import Task
from luthier.recipe.recipe import Recipe
from luthier.recipe.safety.adversarial import Adversarial

ADVERSARIAL = "safety.adversarial"


def refuse_together(recipe: Recipe, task: Task) -> None:
    """Raises on the first contradiction inside `safety:`, or between it and the task.

    Raises: FixRecipe naming the key.
    """
    safety = recipe.safety
    if safety is None:
        return
    section = safety.adversarial
    if section is not None:
        _refuse_task(section, task)
    if safety.privacy is None:
        return
    if section is not None:
        _refuse_private(section)
    if safety.checks is not None and safety.checks.harden:
        raise FixRecipe(
            "safety.checks.harden",
            "training against attacks is not proved together with safety.privacy",
            advice="leave it out",
        )


def against_attacks(recipe: Recipe, *kinds: str) -> bool:
    """Whether inputs are disturbed while training; with `kinds`, in one of these ways."""
    section = recipe.safety.adversarial if recipe.safety else None
    return section is not None and _disturbs(section) and (not kinds or section.kind in kinds)


def _disturbs(section: Adversarial) -> bool:
    return section.kind != "none" and section.radius > 0


def _refuse_task(section: Adversarial, task: Task) -> None:
    if task is Task.CLASSIFY:
        return
    if _disturbs(section) and section.kind in ("virtual", "words"):
        raise FixRecipe(
            f"{ADVERSARIAL}.kind",
            f"{section.kind} needs a task that classifies, this is {task.value}",
            "freelb, pgd, layer or latent",
        )
    if section.synonyms:
        raise FixRecipe(
            f"{ADVERSARIAL}.synonyms",
            f"it needs a task that classifies, this is {task.value}",
            advice="leave it out",
        )


def _refuse_private(section: Adversarial) -> None:
    if _disturbs(section):
        raise FixRecipe(
            ADVERSARIAL,
            f"kind: {section.kind} is not proved together with safety.privacy",
            "one of the two",
            "kind: none still undoes invisible and look-alike characters",
        )
    for name, why in (
        ("spelling", "the words of private rows"),
        ("synonyms", "what private rows say of words"),
    ):
        if getattr(section, name):
            raise FixRecipe(
                f"{ADVERSARIAL}.{name}",
                f"{why} may not be kept with the model",
                advice="leave it out",
            )
