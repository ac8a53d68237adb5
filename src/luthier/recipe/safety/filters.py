"""`safety.filters:` what happens to personal data, secrets and harmful text."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from luthier.recipe.section import Section

Action = Literal["off", "allow", "redact", "block", "human", "regenerate"]


class Filters(Section):
    """Content filters over training data and over what the model is asked and answers."""

    data: bool = True
    """Screen the training data."""
    answers: bool = True
    """Screen what is asked and answered in `predict`."""
    personal: Action = "redact"
    """Names, addresses, numbers and other data about persons."""
    secrets: Action = "redact"
    """Keys, tokens and passwords."""
    toxicity: Action = "human"
    """Insults, threats and hate."""
    injection: Action = "block"
    """Instructions hidden in what the model is given."""
    surrogates: Literal["placeholder", "lifelike"] = "placeholder"
    """What stands in place of a finding: its kind and a mark, or an invented value."""
    without: tuple[str, ...] = ()
    """Kinds of findings that are left alone, such as `date` or `organisation`."""
    false_positives: float = Field(0.01, gt=0, lt=0.5)
    """Largest share of harmless texts that a learned filter may flag."""
