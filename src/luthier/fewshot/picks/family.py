"""All picks, by name."""

from __future__ import annotations

from luthier.fewshot.pick import Pick
from luthier.fewshot.picks.diverse import Diverse
from luthier.fewshot.picks.gradient import ByGradient
from luthier.fewshot.picks.joint import Joint
from luthier.fewshot.picks.lot import ByLot

PICKS: dict[str, Pick] = {pick.name: pick for pick in (Joint(), Diverse(), ByGradient(), ByLot())}
"""What `data.select.by` may name."""
LOT = ByLot()
"""What the others are compared with."""
