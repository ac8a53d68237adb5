"""`safety.adversarial:` training against attacks."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from luthier.recipe.section import Section


class Adversarial(Section):
    """What the loss is made of when inputs are disturbed while training."""

    kind: Literal["none", "virtual", "freelb", "pgd", "layer", "latent", "words"] = "virtual"
    """What is disturbed: hidden states in one of five ways, or words by near ones."""
    radius: float = Field(0.1, ge=0)
    """Size of the disturbance relative to the hidden states, or share of the words; 0 is none."""
    steps: int = Field(1, ge=1, le=20)
    """Ascent steps of the disturbance; words take one."""
    weight: float = Field(1.0, ge=0)
    """Weight of the disturbed loss against the plain one; FreeLB weighs all its steps alike."""
    canonicalise: bool = True
    """Undo invisible and look-alike characters before the tokenizer of an encoder, in training and
    in use."""
    spelling: bool = False
    """Undo slips of the keyboard before the tokenizer of an encoder, in training and in use, by the
    words and pairs of words of the training rows, which are kept with the model."""
    unknown_words: Literal["keep", "one"] = "keep"
    """With `spelling`, `one` reads each word that neither the training rows nor the tokenizer's
    vocabulary know as the same unknown word, so that slips in names change nothing."""
    synonyms: bool = False
    """Read near words as one where the labels of the training rows allow it, before the tokenizer
    of an encoder that classifies, in training and in use; the groups are kept with the model."""

    @model_validator(mode="after")
    def _known_words(self) -> Adversarial:
        if self.unknown_words == "one" and not self.spelling:
            raise ValueError(
                "`unknown_words: one` needs `spelling: true`, which knows the words; set that too, "
                "or leave `unknown_words` out"
            )
        return self
