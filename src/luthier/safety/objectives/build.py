"""From names and numbers to a wrapped objective."""

from __future__ import annotations

from typing import Literal

from luthier.safety.objectives.ascent import Disturbance
from luthier.safety.objectives.ball import BallObjective
from luthier.safety.objectives.freelb import FreeLB
from luthier.safety.objectives.virtual import Virtual
from luthier.train.step import Objective

Kind = Literal["virtual", "freelb", "pgd", "layer", "latent"]


def wrapped(
    kind: Kind, inner: Objective, radius: float, steps: int, weight: float, below: int, layers: int
) -> Objective:
    """The objective against disturbances of what enters layers.

    `below` is the lowest layer that runs while training, `layers` how many there are: `layer`
    disturbs the middle one of those that run, `latent` three spread over them, all others the
    lowest.
    """
    span = layers - below
    places = {
        "layer": (below + span // 2,),
        "latent": tuple(sorted({below + span * i // 4 for i in (1, 2, 3)})),
    }.get(kind, (below,))
    how = Disturbance(radius, steps, places)
    if kind == "virtual":
        return Virtual(inner, how, weight)
    if kind == "freelb":
        return FreeLB(inner, how)
    return BallObjective(inner, how, weight)
