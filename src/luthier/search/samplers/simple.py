"""Sources that need no model: the prior, the portfolio, and the rate around the incumbent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from luthier.search.parameter import Range
from luthier.search.sampler import Proposal, View
from luthier.search.space import Space, same
from luthier.search.trial import Config

DRAWS = 50

RATE = "rate_offset"
"""The learning rate, in decades from the formula's."""

ASIDE = 0.4
"""Decades from the default's rate at which a search without history looks first: a factor of 2.5
up and down."""


def opening_of(space: Space, portfolio: Sequence[Config]) -> list[Config]:
    """What is looked at right after the default: what served earlier tasks best; where none can
    tell, a higher and a lower rate, since which way it should move is what a search most needs to
    know."""
    if portfolio:
        return [portfolio[0]]
    rate = next((p for p in space.parameters if p.name == RATE), None)
    if not isinstance(rate, Range) or rate.fixed:
        return []
    at = float(space.default[RATE])
    sides = [at + ASIDE, at - ASIDE]
    return [space.but(space.default, RATE, side) for side in sides if rate.holds(side)]


@dataclass(frozen=True)
class Prior:
    """A draw from the prior: the source that cannot be misled."""

    name: str = "prior"

    def propose(self, view: View) -> Proposal | None:
        """A configuration that was not tried yet."""
        for config in view.space.draw(view.random, DRAWS):
            if not view.tried(config):
                return Proposal(config)
        return None


@dataclass(frozen=True)
class Portfolio:
    """The next of the configurations that together served earlier tasks best."""

    name: str = "portfolio"

    def propose(self, view: View) -> Proposal | None:
        """The first that was not tried yet."""
        left = (c for c in view.portfolio if not view.tried(c))
        return next((Proposal(c) for c in left), None)


@dataclass(frozen=True)
class RefineRate:
    """The incumbent with another learning rate: most of what a search finds lies there.

    Steps get finer as both neighbours of the best rate are known.
    """

    parameter: str = RATE
    steps: tuple[float, ...] = (0.3, 0.15, 0.08)
    name: str = "refine"

    def propose(self, view: View) -> Proposal | None:
        """A step up or down that was not tried, the coarsest first."""
        found = next((p for p in view.space.parameters if p.name == self.parameter), None)
        if not isinstance(found, Range):
            return None
        at = float(view.incumbent.config[self.parameter])
        for step in self.steps:
            signs = [1.0, -1.0] if view.random.random() < 0.5 else [-1.0, 1.0]
            for sign in signs:
                value = float(f"{at + sign * step:.6g}")
                config = view.space.but(view.incumbent.config, self.parameter, value)
                if found.holds(value) and not view.tried(config):
                    return Proposal(config)
        return None


@dataclass(frozen=True)
class Clone:
    """A trial that goes on from the incumbent's parameters with other values.

    Only values that leave the shapes alone may change. Source: Jaderberg et al. 2017 (population
    based training), section 3.
    """

    fixed: tuple[str, ...] = ("adapter.rank", "depth", "train.batch_size")
    name: str = "clone"

    def propose(self, view: View) -> Proposal | None:
        """A neighbour of the incumbent, with the incumbent as parent."""
        own = view.incumbent.config
        if view.incumbent.unit == 0 or any(t.parent == view.incumbent.id for t in view.trials):
            return None
        for _ in range(DRAWS):
            near = view.space.near(own, view.random, 0.08)
            config = {**near, **{n: own[n] for n in self.fixed if n in own}}
            if not same(config, own) and not view.tried(config):
                return Proposal(config, view.incumbent.id)
        return None
