"""Every source by name."""

from __future__ import annotations

from collections.abc import Sequence

from luthier.core.errors import FixRecipe, nearest
from luthier.search.sampler import Sampler
from luthier.search.samplers.modelled import Target, Transfer
from luthier.search.samplers.simple import Clone, Portfolio, Prior, RefineRate

FAMILY: tuple[Sampler, ...] = (Portfolio(), Transfer(), Target(), RefineRate(), Clone(), Prior())


def samplers(names: Sequence[str]) -> dict[str, Sampler]:
    """The sources with these names, in this order.

    Raises: FixRecipe for a name there is none of.
    """
    known = {member.name: member for member in FAMILY}
    for name in names:
        if name not in known:
            near = nearest(name, known)
            raise FixRecipe("tune.sources", f"there is no source {name!r}", ", ".join(known),
                            f"did you mean {near!r}?" if near else "")  # fmt: skip
    return {name: known[name] for name in names}
