"""`safety.adversarial:` training against attacks."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from luthier.recipe.section import Section


class Adversarial(Section):
    """What the loss is made of when inputs are disturbed while training."""

    kind: Literal["none", "virtual", "freelb", "pgd", "layer", "latent"] = "virtual"
    """Which disturbance of the hidden states is trained against."""
    radius: float = Field(0.1, ge=0)
    """Size of the disturbance relative to the hidden states; 0 trains as usual."""
    steps: int = Field(1, ge=1, le=20)
    """Ascent steps of the disturbance."""
    weight: float = Field(1.0, ge=0)
    """Weight of the disturbed loss against the plain one."""
    augment: Literal["none", "characters", "words", "both"] = "none"
    """Disturbed copies of the texts in the same batch."""
    canonicalise: bool = True
    """Undo invisible and look-alike characters before the tokenizer, in training and in use."""
