"""An explanation of a model must change when what the model learnt is destroyed.

Source: Adebayo et al. 2018, "Sanity Checks for Saliency Maps", section 3.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn

from luthier.core.seeds import derive
from luthier.explain.attribution import Attribution, Attributor, Question
from luthier.explain.subject import Subject
from luthier.models.network import Network


@contextmanager
def shuffled(network: Network, seed: int) -> Iterator[None]:
    """The numbers of each matrix above the embeddings in random order; afterwards as before."""
    dice = torch.Generator().manual_seed(derive(seed, "shuffled weights"))
    parts: list[nn.Module] = [network.backbone.get_submodule(network.stack.path)]
    parts += [network.output] if network.output is not None else []
    matrices = [p for part in parts for p in part.parameters() if p.ndim >= 2]
    matrices = [p for p in matrices if p.is_floating_point()]
    kept = [p.detach().clone() for p in matrices]
    try:
        with torch.no_grad():
            for matrix in matrices:
                order = torch.randperm(matrix.numel(), generator=dice).to(matrix.device)
                matrix.copy_(matrix.flatten()[order].view_as(matrix))
        yield
    finally:
        with torch.no_grad():
            for matrix, before in zip(matrices, kept, strict=True):
                matrix.copy_(before)


def likeness(
    subject: Subject,
    questions: Sequence[Question],
    told: Mapping[str, Sequence[Attribution]],
    methods: Mapping[str, Attributor],
    seed: int = 0,
) -> dict[str, float]:
    """How alike each method ranks the words of the model and of the same model with its weights
    in random order: the mean rank correlation, 0 for a method that reads the model."""
    with shuffled(subject.network, seed):
        other = {name: method.explain(subject, questions) for name, method in methods.items()}
    return {name: agreement(told[name], other[name]) for name in methods}


def agreement(one: Sequence[Attribution], other: Sequence[Attribution]) -> float:
    """The mean rank correlation of two methods' words, by weight."""
    return float(np.mean([_agreement(a, b) for a, b in zip(one, other, strict=True)]))


def _agreement(one: Attribution, other: Attribution) -> float:
    from scipy.stats import rankdata

    a, b = rankdata(np.abs(one.scores)), rankdata(np.abs(other.scores))
    if len(a) < 2 or a.std() == 0 or b.std() == 0:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])
