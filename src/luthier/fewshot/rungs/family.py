"""All rungs that need no training of the encoder, from the simplest on."""

from __future__ import annotations

from luthier.fewshot.rung import Rung
from luthier.fewshot.rungs.blends import Mixed, Stacked, three
from luthier.fewshot.rungs.lexical import LexicalRung
from luthier.fewshot.rungs.linear import Described, LinearProbe
from luthier.fewshot.rungs.zero import ZeroShot

FROZEN: tuple[Rung, ...] = (
    ZeroShot(),
    Described(),
    LinearProbe(),
    LexicalRung(),
    Mixed(),
    Mixed("scaled", 5, "scaled", three()),
    Stacked(),
)
NAMES = tuple(rung.name for rung in FROZEN)
"""What `fewshot.rungs` may name, from simple to costly."""
