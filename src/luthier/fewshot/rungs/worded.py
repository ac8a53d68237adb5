"""No labels and a model that writes: how likely it finds the name of each class."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from luthier.core.errors import FixData
from luthier.fewshot.forms.worded import Worded
from luthier.fewshot.rung import Known


@dataclass(frozen=True)
class ByWords:
    """Names after the text, per token, less what texts that say nothing get.

    Source: Zhao et al. 2021, "Calibrate Before Use", section 5 (content-free texts); Brown et al.
    2020, section 2.4 (likelihood per token).
    """

    name: str = "worded"
    order: int = 9

    def refusal(self, known: Known) -> str:
        """The base must write."""
        return "" if known.blank is not None else "the base does not write"

    def fit(self, known: Known) -> Worded:
        """No label is read."""
        wording = _wording(known, self.refusal(known))
        return Worded(wording[:, 0].mean(axis=0), 0)


@dataclass(frozen=True)
class Channel:
    """The text after each name: of equally long texts the likelier tells the class.

    Source: Min et al. 2022, "Noisy Channel Language Model Prompting", section 3.
    """

    name: str = "channel"
    order: int = 10

    def refusal(self, known: Known) -> str:
        """The base must write."""
        return "" if known.blank is not None else "the base does not write"

    def fit(self, known: Known) -> Worded:
        """No label is read; every class is as likely beforehand."""
        wording = _wording(known, self.refusal(known))
        return Worded(np.zeros(wording.shape[2]), 1)


def _wording(known: Known, refused: str) -> np.ndarray:
    """Likelihoods (B, 2, C) with the texts that say nothing."""
    if refused or known.blank is None or known.blank.wording is None:
        raise FixData("labels to learn from", refused or "nothing was read")
    return known.blank.wording
