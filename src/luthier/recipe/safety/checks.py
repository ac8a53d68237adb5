"""`safety.checks:` what is looked for before and after training."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from luthier.recipe.section import Section


class Checks(Section):
    """Poisoned data, lost safety, and how a model stands under attack."""

    poison: bool = True
    """Look for planted triggers and flipped labels, before and after training."""
    battery: Literal["auto", "on", "off"] = "auto"
    """Compare refusals, leakage and toxicity before and after; `auto` for models that write."""
    attack: bool = True
    """Attack the tuned model and report how often it gives way."""
    queries: int = Field(100, ge=1)
    """Queries an attack may spend on one text."""
    rows: int = Field(100, ge=10)
    """Test rows that are attacked."""
    harden: bool = False
    """Train again against what attacks on validation rows found, and keep it if quality holds."""
    margin: float = Field(0.02, gt=0, lt=1)
    """How much worse a safety measure, or accuracy by hardening, may get before it is refused."""
