"""A search space: typed parameters with priors, and the default that is always tried first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import qmc

from luthier.core.errors import FixRecipe, nearest
from luthier.core.hashing import hash_value
from luthier.search.parameter import Parameter
from luthier.search.trial import Config, Value

DRAWS_TRIED = 200


@dataclass(frozen=True)
class Space:
    """Parameters in a fixed order. Its size in coordinates is `width`."""

    parameters: tuple[Parameter, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Names in order."""
        return tuple(p.name for p in self.parameters)

    @property
    def width(self) -> int:
        """Coordinates of an encoded configuration."""
        return sum(p.width for p in self.parameters)

    @property
    def default(self) -> Config:
        """The recipe as it stands."""
        return {p.name: p.default for p in self.parameters}

    @property
    def hash(self) -> str:
        """Changes with any parameter, bound or prior."""
        return hash_value([repr(p) for p in self.parameters])

    def encode(self, configs: Sequence[Config]) -> NDArray[np.float64]:
        """Coordinates in the unit cube (N, `width`).

        Raises: FixRecipe for a value outside, with the nearest parameter for an unknown name.
        """
        return np.asarray([self._coordinates(c) for c in configs], np.float64).reshape(
            len(configs), self.width
        )

    def _coordinates(self, config: Config) -> list[float]:
        self.check(config)
        found: list[float] = []
        for parameter in self.parameters:
            found += parameter.encode(config[parameter.name])
        return found

    def check(self, config: Config) -> None:
        """Passes a complete configuration inside the space.

        Raises: FixRecipe.
        """
        for name in config:
            if name not in self.names:
                near = nearest(name, self.names)
                raise FixRecipe(f"configuration key {name!r}", "the space has no such parameter",
                                ", ".join(self.names),
                                f"did you mean {near!r}?" if near else "")  # fmt: skip
        for parameter in self.parameters:
            if parameter.name not in config:
                raise FixRecipe("configuration", f"{parameter.name!r} is missing")
            if not parameter.holds(config[parameter.name]):
                place = f"configuration key {parameter.name!r}"
                raise FixRecipe(place, f"{config[parameter.name]!r} lies outside", repr(parameter))

    def holds(self, config: Config) -> bool:
        """Whether the configuration is complete and inside."""
        return set(config) == set(self.names) and all(
            p.holds(config[p.name]) for p in self.parameters
        )

    def draw(self, random: np.random.Generator, count: int) -> list[Config]:
        """Configurations from the prior, independent of each other."""
        return [self.at(row) for row in random.random((count, len(self.parameters)))]

    def spread(self, count: int, seed: int = 0) -> list[Config]:
        """The first `count` points of a scrambled Sobol sequence pushed through the prior.

        Longer lists begin with the shorter ones. Source: Owen 1998.
        """
        points = qmc.Sobol(len(self.parameters), seed=seed).random_base2(
            max(1, int(np.ceil(np.log2(max(2, count)))))
        )
        return [self.at(row) for row in points[:count]]

    def at(self, shares: Sequence[float] | NDArray[np.float64]) -> Config:
        """The configuration at these quantiles of the prior, one per parameter."""
        return {p.name: p.quantile(float(s)) for p, s in zip(self.parameters, shares, strict=True)}

    def near(self, config: Config, random: np.random.Generator, step: float = 0.1) -> Config:
        """A neighbour that differs from the configuration."""
        for _ in range(DRAWS_TRIED):
            found = {p.name: p.near(config[p.name], random, step) for p in self.parameters}
            if not same(found, config):
                return found
        return dict(config)

    def but(self, config: Config, name: str, value: Value) -> Config:
        """The configuration with one value replaced."""
        return {**config, name: value}


def same(first: Config, second: Config) -> bool:
    """Whether two configurations are equal up to rounding."""
    return set(first) == set(second) and all(_close(first[n], second[n]) for n in first)


def _close(one: Value, other: Value) -> bool:
    if isinstance(one, str) or isinstance(other, str):
        return one == other
    return abs(float(one) - float(other)) <= 1e-9 + 1e-5 * abs(float(other))
