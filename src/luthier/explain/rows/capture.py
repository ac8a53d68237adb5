"""What each example leaves in a trained network, in one forward and one backward pass a batch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from luthier.core.errors import CheckRun, FixRecipe
from luthier.core.progress import Progress
from luthier.data.feed.batch import Batch
from luthier.explain.rows.sketch import Sketch
from luthier.models.losses import Losses
from luthier.models.network import Network
from luthier.train.step import Objective
from luthier.train.units.agree import check_sums
from luthier.train.units.layout import layout_of
from luthier.train.units.passing import pass_through
from luthier.train.units.watched import Watched, watched_layers

LARGEST = 1 << 22
"""A parameter of more numbers is left out: the gradient of each example would have as many."""


@dataclass(frozen=True)
class Captured:
    """By example, in the order of the batches: gradients (N, K), losses (N,) in nats per
    example or token, and table rows (N,); and the parameters that were left out."""

    gradients: NDArray[np.float32]
    losses: NDArray[np.float64]
    rows: NDArray[np.int64]
    left_out: tuple[str, ...]


def capture(
    network: Network,
    objective: Objective,
    batches: Iterable[Batch],
    sketch: Sketch,
    progress: Progress,
) -> Captured:
    """Sketches of the gradient of each example's own mean loss over all trained parameters.

    Dropout is off. The gradients of the first batch must add up to what backpropagation finds.

    Raises: CheckRun for a network without trained parameters, or gradients that are no numbers;
    FixRecipe for a network whose gradients cannot be told apart by example.
    """
    listened = _Listened(objective)
    parts: list[tuple[Tensor, Tensor, Tensor]] = []
    with _quiet(network) as left_out:
        layers = watched_layers(network)
        if not layers:
            raise CheckRun(
                "training rows", "nothing in this model was trained by gradients",
                "a run with an adapter or an output layer",
            )  # fmt: skip
        names = {id(p): n for n, p in network.named_parameters()}
        device = next(network.parameters()).device
        for batch in batches:
            micro = batch.to(str(device))
            if not parts:
                check_sums(layers, objective, network, micro, layout_of(network, micro, None))
            parts.append(_passed(network, listened, layers, micro, (sketch, names)))
            progress.advance(len(micro.rows))
    gradients, losses, rows = (torch.cat(part).numpy() for part in zip(*parts, strict=True))
    broken = int((~np.isfinite(gradients).all(1)).sum())
    if broken:
        raise CheckRun(
            "training rows", f"the gradients of {broken} of {len(rows)} are not finite numbers",
            "a model that gives a number for each row", "train it again at a lower learning rate",
        )  # fmt: skip
    return Captured(gradients, losses.astype(np.float64), rows, left_out)


class _Listened:
    """An objective whose last losses can be read afterwards."""

    def __init__(self, objective: Objective) -> None:
        self._objective = objective
        self.last: Losses | None = None

    def __call__(self, network: Network, batch: Batch, /) -> Losses:
        self.last = self._objective(network, batch)
        return self.last


def _passed(
    network: Network,
    listened: _Listened,
    layers: list[Watched],
    batch: Batch,
    into: tuple[Sketch, dict[int, str]],
) -> tuple[Tensor, Tensor, Tensor]:
    sketch, names = into
    layout = layout_of(network, batch, None)
    if layout.units != len(batch.rows):
        raise FixRecipe(
            "training rows", "a row of these data is several examples",
            "tasks of one example a row: classify, multilabel, instruct",
        )  # fmt: skip
    passage = pass_through(layers, listened, network, batch, layout)
    # Units may be numbered in another order than the rows of the batch.
    owner = layout.owner[: len(batch.rows)].cpu()
    found = sketch.of(names, passage.each(), layout.units)[owner]
    assert listened.last is not None
    weights = listened.last.weights.detach().float().cpu()
    found = torch.where(weights[:, None] > 0, found / weights[:, None].clamp(min=1e-12), 0.0)
    return found, listened.last.per_example.detach().float().cpu(), batch.rows.cpu()


@contextmanager
def _quiet(network: Network) -> Iterator[tuple[str, ...]]:
    """No dropout anywhere, and no gradient for parameters that are too large; as before when it
    is over."""
    drops = [(m, m.p) for m in network.modules() if isinstance(m, nn.Dropout)]
    large = {n: p for n, p in network.named_parameters() if p.requires_grad and p.numel() > LARGEST}
    try:
        for module, _ in drops:
            module.p = 0.0
        for parameter in large.values():
            parameter.requires_grad_(False)
        for parameter in network.parameters():
            parameter.grad = None
        network.mode(False, False)
        yield tuple(large)
    finally:
        for module, share in drops:
            module.p = share
        for parameter in large.values():
            parameter.requires_grad_(True)
        for parameter in network.parameters():
            parameter.grad = None
