"""Every source by name."""

from __future__ import annotations

from collections.abc import Sequence

from luthier.core.errors import FixRecipe, nearest, need_extra
from luthier.search.bridges.distributions import installed
from luthier.search.sampler import Sampler
from luthier.search.samplers.modelled import Target, Transfer
from luthier.search.samplers.simple import Clone, Portfolio, Prior, RefineRate
from luthier.search.samplers.tpe import Tpe

FAMILY: tuple[Sampler, ...] = (
    Portfolio(), Transfer(), Target(), RefineRate(), Clone(), Prior(), Tpe(),
)  # fmt: skip


def offered() -> tuple[str, ...]:
    """The names of all sources whose packages are installed."""
    return tuple(m.name for m in FAMILY if not isinstance(m, Tpe) or installed())


def samplers(names: Sequence[str]) -> dict[str, Sampler]:
    """The sources with these names, in this order.

    Raises: FixRecipe for a name there is none of, InstallExtra for one whose package is missing.
    """
    known = {member.name: member for member in FAMILY}
    for name in names:
        if name not in known:
            near = nearest(name, known)
            raise FixRecipe("tune.sources", f"there is no source {name!r}", ", ".join(offered()),
                            f"did you mean {near!r}?" if near else "")  # fmt: skip
        if name not in offered():
            raise need_extra("tune", "optuna", f"tune.sources: {name}")
    return {name: known[name] for name in names}
