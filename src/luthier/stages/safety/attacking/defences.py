"""Which defences of a recipe fit what attacks found, and how to ask for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from luthier.recipe.recipe import Recipe
from luthier.recipe.safety.adversarial import Adversarial
from luthier.recipe.safety.checks import Checks

WORDS: dict[str, Any] = {"kind": "words", "radius": 0.15, "weight": 1.0}
"""Against exchanged words; unlike `synonyms` it keeps no list with the model."""
_UNSEEN = frozenset({"invisible", "lookalikes"})
_MET = frozenset({"words", "typos", *_UNSEEN})
"""Attacks against which there is a defence."""


def fitting(
    recipe: Recipe, found: Sequence[Mapping[str, Any]], margin: float, encoder: bool
) -> Adversarial | None:
    """What the recipe has against attacks, with the defences against those that cost more than
    `margin` of accuracy; None when nothing is to be added.

    What changes a text before the tokenizer is for an `encoder`.
    """
    fallen = _fallen(found, margin)
    has = recipe.safety.adversarial if recipe.safety else None
    plain = has or Adversarial(kind="none")
    wanted: dict[str, Any] = {}
    if "words" in fallen and plain.kind == "none":
        wanted |= WORDS
    if encoder:
        wanted |= {"spelling": True} if "typos" in fallen else {}
        wanted |= {"canonicalise": True} if fallen & _UNSEEN else {}
    made = plain.model_copy(update=wanted)
    changed = bool(wanted) and (has is None or made != has)
    return made if changed else None


def advice(recipe: Recipe, found: Sequence[Mapping[str, Any]], encoder: bool) -> list[str]:
    """What may be done against the attacks that turned answers, in sentences."""
    safety = recipe.safety
    margin = (safety.checks if safety and safety.checks else Checks()).margin
    fallen = _fallen(found, margin)
    if not fallen:
        return [f"No attack cost more than {100 * margin:g} points of accuracy."]
    private = safety is not None and safety.privacy is not None
    met = fallen & _UNSEEN if private else fallen & _MET
    tried = [one for one in found if one["attack"] in met]
    made = fitting(recipe, tried, margin, encoder)
    told = []
    if made is not None:
        told.append(f"To train with what fits: safety.adversarial: {_written(made)}.")
        if not private and (safety is None or safety.checks is None or not safety.checks.harden):
            told.append(
                "safety.checks.harden: true does so, attacks again, and keeps the result only if "
                "accuracy on clean rows holds."
            )
    left = sorted(fallen - met)
    if private and left:
        told.append(
            f"Against {_listed(left)} a private run has no defence: training against attacks is "
            "not proved together with privacy."
        )
    elif left:
        told.append(f"Against {_listed(left)} nothing is offered.")
    if made is None and met:
        told.append(f"Against {_listed(sorted(met))} the recipe does already what is offered.")
    return told


def _fallen(found: Sequence[Mapping[str, Any]], margin: float) -> set[str]:
    """Attacks that cost more than `margin` of accuracy."""
    return {
        one["attack"]
        for one in found
        if one["accuracy"]["value"] - one["robust_accuracy"]["value"] > margin
    }


def _written(section: Adversarial) -> str:
    """What differs from nothing, as a recipe has it."""
    plain = Adversarial()
    named: dict[str, str] = {"kind": section.kind}
    for name, value in section:
        if name != "kind" and (name == "canonicalise" or value != getattr(plain, name)):
            named[name] = f"{value:g}" if isinstance(value, float) else str(value).lower()
    return "{" + ", ".join(f"{name}: {value}" for name, value in named.items()) + "}"


def _listed(names: Sequence[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
