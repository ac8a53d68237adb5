"""One parameter of a search space, and its way to and from the unit interval."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from scipy.special import ndtr, ndtri

from luthier.core.errors import FixRecipe
from luthier.search.trial import Value


@dataclass(frozen=True)
class Range:
    """A number between `low` and `high`, on a logarithmic scale when `log`.

    The prior is a normal distribution around `centre` (left out: `mode`) with deviation `spread`,
    cut at the ends; `spread` is in decades when `log`, else in the parameter's own unit. `mode` is
    the recipe's own value.

    Raises: FixRecipe when the range is empty or the mode lies outside.
    """

    name: str
    low: float
    high: float
    mode: float
    spread: float
    log: bool = False
    centre: float | None = None

    def __post_init__(self) -> None:
        if not self.low < self.high or (self.log and self.low <= 0):
            raise FixRecipe(f"tune.space.{self.name}", f"the range is {self.low} to {self.high}",
                            "low below high, and above 0 when log")  # fmt: skip
        if not self.low <= self.mode <= self.high:
            raise FixRecipe(f"tune.space.{self.name}", f"the default {self.mode} lies outside",
                            f"{self.low} to {self.high}", "widen the range, or set the key in the "
                            "recipe to a value inside")  # fmt: skip

    @property
    def default(self) -> Value:
        """The recipe's own value."""
        return self.mode

    @property
    def width(self) -> int:
        """Coordinates it takes."""
        return 1

    @property
    def fixed(self) -> bool:
        """A range always leaves something to search."""
        return False

    def encode(self, value: Value) -> list[float]:
        """Its place in [0, 1]."""
        low, high, at = (self._scale(v) for v in (self.low, self.high, float(value)))
        return [(at - low) / (high - low)]

    def decode(self, at: float) -> Value:
        """The value at a place in [0, 1]."""
        low, high = self._scale(self.low), self._scale(self.high)
        place = low + min(1.0, max(0.0, at)) * (high - low)
        value = 10**place if self.log else place
        return self._short(value)

    def quantile(self, share: float) -> Value:
        """The value below which `share` of the prior lies."""
        centre = self.mode if self.centre is None else self.centre
        low, high, middle = (self._scale(v) for v in (self.low, self.high, centre))
        ends = (low - middle) / self.spread, (high - middle) / self.spread
        place = middle + self.spread * _truncated(share, *ends)
        value = 10**place if self.log else place
        return self._short(value)

    def holds(self, value: Value) -> bool:
        """Whether the value lies inside."""
        return not isinstance(value, str) and self.low <= float(value) <= self.high

    def near(self, value: Value, random: np.random.Generator, step: float = 0.1) -> Value:
        """A neighbour: a normal step of this share of the range."""
        return self.decode(self.encode(value)[0] + random.normal(0.0, step))

    def _short(self, value: float) -> float:
        # Rounding comes first, because it may lead out of the range.
        return float(min(self.high, max(self.low, float(f"{value:.6g}"))))

    def _scale(self, value: float) -> float:
        return math.log10(value) if self.log else value


def _truncated(share: float, low: float, high: float) -> float:
    """The quantile of a standard normal between two bounds. `scipy.stats.truncnorm` gives the same
    but checks and broadcasts for every single number, and a search draws thousands."""
    if low > 0:
        return -_truncated(1 - share, -high, -low)
    first, last = float(ndtr(low)), float(ndtr(high))
    return min(high, max(low, float(ndtri(first + share * (last - first)))))


@dataclass(frozen=True)
class Choice:
    """One of some options, with prior weights. `ordered` ones lie on a line, others apart.

    Raises: FixRecipe when there is no option or the default is none of them.
    """

    name: str
    options: tuple[Value, ...]
    weights: tuple[float, ...]
    mode: Value
    ordered: bool = True

    def __post_init__(self) -> None:
        if len(self.options) != len(self.weights) or len(set(self.options)) != len(self.options):
            raise FixRecipe(f"tune.space.{self.name}", f"the options are {self.options}",
                            "different values, one weight each")  # fmt: skip
        if self.mode not in self.options:
            raise FixRecipe(f"tune.space.{self.name}", f"the default {self.mode!r} lies outside",
                            f"one of {', '.join(map(str, self.options))}",
                            "add it, or set the key in the recipe to one of them")  # fmt: skip

    @property
    def default(self) -> Value:
        """The recipe's own value."""
        return self.mode

    @property
    def width(self) -> int:
        """Coordinates it takes."""
        return 1 if self.ordered else len(self.options)

    @property
    def fixed(self) -> bool:
        """Whether there is one option only."""
        return len(self.options) == 1

    def encode(self, value: Value) -> list[float]:
        """Its place in [0, 1], or a corner of the unit cube."""
        place = self.options.index(value)
        if self.ordered:
            return [place / max(1, len(self.options) - 1)]
        return [1.0 if i == place else 0.0 for i in range(len(self.options))]

    def quantile(self, share: float) -> Value:
        """The option at `share` of the prior's mass."""
        ends = np.cumsum(self.weights) / sum(self.weights)
        place = int(np.searchsorted(ends, share, side="right"))
        return self.options[min(place, len(self.options) - 1)]

    def holds(self, value: Value) -> bool:
        """Whether it is an option."""
        return value in self.options

    def near(self, value: Value, random: np.random.Generator, step: float = 0.1) -> Value:
        """The value itself, mostly; else the next option, or any other when not ordered."""
        if len(self.options) == 1 or random.random() > 0.4:
            return value
        place = self.options.index(value)
        if not self.ordered:
            others = [o for o in self.options if o != value]
            return others[int(random.integers(len(others)))]
        moved = place + (1 if random.random() < 0.5 else -1)
        return self.options[min(len(self.options) - 1, max(0, moved))]


Parameter: TypeAlias = Range | Choice
