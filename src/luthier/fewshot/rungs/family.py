"""All rungs, from the simplest on."""

from __future__ import annotations

from collections.abc import Sequence

from luthier.fewshot.rung import Rung
from luthier.fewshot.rungs.blends import Mixed, Stacked, three
from luthier.fewshot.rungs.earlier import EarlierStack
from luthier.fewshot.rungs.lexical import LexicalRung
from luthier.fewshot.rungs.linear import Described, LinearProbe
from luthier.fewshot.rungs.pooled import self_trained
from luthier.fewshot.rungs.tuned import SECONDS, TunedStack
from luthier.fewshot.rungs.worded import ByWords, Channel
from luthier.fewshot.rungs.zero import ZeroShot

FROZEN: tuple[Rung, ...] = (
    ZeroShot(),
    Described(),
    LinearProbe(),
    LexicalRung(),
    Mixed(),
    Mixed("scaled", 5, "scaled", three()),
    Stacked(),
    self_trained(),
    ByWords(),
    Channel(),
)


def ladder(seconds: float = SECONDS, names: Sequence[str] = ()) -> tuple[Rung, ...]:
    """Rungs by name, all without names, from simple to costly; the encoder is tuned where that is
    expected to take at most so many seconds."""
    found = (*FROZEN, EarlierStack(), TunedStack(seconds=seconds))
    return tuple(rung for rung in found if not names or rung.name in names)


NAMES = tuple(rung.name for rung in ladder())
"""What `fewshot.rungs` may name, from simple to costly."""
