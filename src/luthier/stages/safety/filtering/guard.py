"""From the recipe's `safety.filters:` section to a guard over rows, questions and answers."""

from __future__ import annotations

from luthier.core.errors import InstallExtra
from luthier.recipe.safety.filters import Filters
from luthier.screen.action import Action
from luthier.screen.rule import Group
from luthier.screen.screen import Learned, Screen
from luthier.screen.surrogate import Surrogates
from luthier.stages.safety.filtering.rows import Guard


def guard_of(section: Filters, seed: int, rules_only: bool = False) -> Guard:
    """The guard of a section; without the encoder's package it has rules only and says so."""
    chosen: dict[Group, Action] = {
        "personal": section.personal,
        "secrets": section.secrets,
        "toxicity": section.toxicity,
        "injection": section.injection,
    }
    actions: dict[Group, Action] = {
        group: action for group, action in chosen.items() if action != "off"
    }
    learned: Learned | None = None
    missing = "Learned filters were not asked for." if rules_only else ""
    if not rules_only and actions.keys() - {"secrets"}:
        try:
            learned = _learned(section.false_positives)
        except InstallExtra as error:
            missing = f"Rules only: {error}"
    screen = Screen(frozenset(actions), learned, without=frozenset(section.without))
    return Guard(screen, actions, Surrogates(seed, section.surrogates), missing)


def _learned(false_positives: float) -> Learned:
    from luthier.stages.safety.filtering.heads import Heads

    return Heads.load(false_positives)
