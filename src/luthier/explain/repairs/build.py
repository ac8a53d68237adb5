"""From a name and a number to a repair."""

from __future__ import annotations

from luthier.explain.repair import Repair
from luthier.explain.repairs.augment import Augment
from luthier.explain.repairs.nothing import Nothing
from luthier.explain.repairs.pair import PairLogits
from luthier.explain.repairs.reweigh import Reweigh
from luthier.explain.repairs.robust import Robust


def repair_of(kind: str, strength: float) -> Repair:
    """The member of that name."""
    members: dict[str, Repair] = {
        "pair": PairLogits(strength),
        "augment": Augment(max(1, round(strength))),
        "reweigh": Reweigh(),
        "robust": Robust(strength),
        "none": Nothing(),
    }
    return members[kind]
