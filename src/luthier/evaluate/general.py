"""The forgetting check: how well a model still predicts ordinary English."""

from __future__ import annotations

import math
from importlib import resources

import numpy as np

from luthier.core.errors import CheckRun
from luthier.evaluate.predictions import FloatArray, IntArray, TextPredictions


def general_text() -> str:
    """The whole fixed text; it never changes, so numbers of different runs compare."""
    file = resources.files("luthier.evaluate").joinpath("texts/general.txt")
    return file.read_text(encoding="utf-8")


def general_paragraphs() -> list[str]:
    """The paragraphs of the fixed text, the rows of the forgetting check."""
    return [" ".join(part.split()) for part in general_text().split("\n\n") if part.strip()]


def bits_per_byte(nats: float, count: int) -> float:
    """Summed loss in nats over `count` bytes, as bits per byte.

    Raises: CheckRun when there are no bytes or the loss is not finite.

    >>> round(bits_per_byte(8 * math.log(2), 4), 9)
    2.0
    """
    if count <= 0 or not math.isfinite(nats):
        raise CheckRun("bits per byte", f"{nats} nats over {count} bytes", "finite over at least 1")
    return nats / (count * math.log(2))


def general_predictions(nats: FloatArray, tokens: IntArray) -> TextPredictions:
    """Losses of the paragraphs (N,) as predictions, so that intervals and pairs work on them.

    Raises: CheckRun when N is not the number of paragraphs.
    """
    sizes = np.array([len(p.encode()) for p in general_paragraphs()])
    rows = np.arange(1, len(sizes) + 1)
    return TextPredictions((), (), rows, nats, tokens, sizes)
