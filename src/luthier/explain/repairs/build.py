"""From a name and a number to a repair."""

from __future__ import annotations

from collections.abc import Mapping

from luthier.explain.repair import Repair
from luthier.explain.repairs.augment import Augment
from luthier.explain.repairs.blind import Blind
from luthier.explain.repairs.erase import Erase
from luthier.explain.repairs.nothing import Nothing
from luthier.explain.repairs.pair import PairLogits
from luthier.explain.repairs.relabel import Relabel
from luthier.explain.repairs.reweigh import Reweigh
from luthier.explain.repairs.robust import Robust


def repair_of(kind: str, strength: float, corrected: Mapping[str, int] | None = None) -> Repair:
    """The member of that name; `corrected` are classes by text, which `labels` puts right."""
    members: dict[str, Repair] = {
        "pair": PairLogits(strength),
        "augment": Augment(max(1, round(strength))),
        "reweigh": Reweigh(),
        "robust": Robust(strength),
        "erase": Erase(),
        "labels": Relabel(corrected or {}),
        "blind": Blind(),
        "none": Nothing(),
    }
    return members[kind]
