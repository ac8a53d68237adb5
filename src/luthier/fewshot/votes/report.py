"""What each rule and the label model are worth, as far as known labels tell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from luthier.core.types import Interval
from luthier.evaluate.predictions import FloatArray, IntArray
from luthier.fewshot.asking.stopping import measured
from luthier.fewshot.query import UNKNOWN
from luthier.fewshot.votes.rules import Rule


def report(rules: Sequence[Rule], votes: IntArray, truth: IntArray) -> list[dict[str, Any]]:
    """For each rule its coverage of the texts (N,) and its accuracy on those with a known label,
    with exact 95 % intervals; None where no such text got its vote."""
    told = []
    for column, rule in enumerate(rules):
        voted = votes[:, column] != UNKNOWN
        judged = voted & (truth != UNKNOWN)
        covered = measured(voted.astype(float))
        right = measured((votes[judged, column] == truth[judged]).astype(float))
        told.append(
            {
                "rule": rule.name,
                "label": rule.label,
                "votes": int(voted.sum()),
                "coverage": covered and covered.told(),
                "accuracy": right and right.told(),
                "judged": int(judged.sum()),
            }
        )
    return told


def conflicts(votes: IntArray) -> int:
    """Texts on which two rules vote for different labels."""
    highest = votes.max(axis=1, initial=UNKNOWN)
    lowest = np.where(votes == UNKNOWN, np.iinfo(np.int64).max, votes).min(axis=1)
    return int(((highest != UNKNOWN) & (lowest != highest)).sum())


def accuracy(chances: FloatArray, truth: IntArray, voted: FloatArray) -> Interval | None:
    """How often the likeliest label is the known one, on texts that got a vote."""
    judged = (truth != UNKNOWN) & voted.astype(bool)
    return measured((chances[judged].argmax(axis=1) == truth[judged]).astype(float))
