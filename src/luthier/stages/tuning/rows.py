"""The validation rows of a search: their two halves, and the loss of each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from luthier.core.seeds import derive
from luthier.data.feed.batches import collate, sequential
from luthier.evaluate.predictions import ClassPredictions, Predictions
from luthier.models.head import Head
from luthier.models.network import Network
from luthier.stages.parts.answers import Exam


@dataclass(frozen=True)
class Halves:
    """Validation examples that choose (`first`) and that confirm the choice (`second`)."""

    first: NDArray[np.int64]
    second: NDArray[np.int64]

    @staticmethod
    def of(examples: NDArray[np.int64], seed: int) -> Halves:
        """Two random halves, always the same ones for a seed."""
        order = np.random.default_rng(derive(seed, "halves")).permutation(examples)
        middle = (len(order) + 1) // 2
        return Halves(np.sort(order[:middle]), np.sort(order[middle:]))


def row_losses(
    network: Network,
    head: Head,
    exam: Exam,
    answers: Predictions,
    reference: NDArray[np.float32] | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.bool_] | None]:
    """Loss per example (N,), and whether its answer is right where that can be said."""
    if isinstance(answers, ClassPredictions):
        chances = answers.probabilities[np.arange(len(answers.truth)), answers.truth]
        right = answers.probabilities.argmax(1) == answers.truth
        return -np.log(np.maximum(chances, 1e-9)).astype(np.float32), right
    network.mode(False, False)
    place = {int(example): i for i, example in enumerate(exam.examples)}
    found = np.zeros(len(exam.examples), np.float32)
    device = str(next(network.parameters()).device)
    with torch.no_grad():
        for part in sequential(exam.encoded, exam.examples, exam.plan, exam.rows_per_pass):
            batch = collate(exam.encoded, part, exam.plan, exam.hidden, reference).to(device)
            values = head.losses(network, batch).per_example.float().cpu().numpy()
            found[[place[int(e)] for e in part]] = values
    return found, None
