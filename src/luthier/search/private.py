"""Choosing hyper-parameters under differential privacy: a random number of independent draws.

A search that looks at private rows and then decides what to try next pays for every look. Under
differential privacy none of that happens here. Instead:

1. A number of runs K is drawn (`Draws.count`) and never told.
2. K configurations are drawn independently of each other from what earlier, public tasks taught
   (`configurations`): the portfolio and the prior of the space. No private row is read for it.
3. Each is trained with private gradients and scored with a noisy score; the best of them ships.
   Its event is `scored(training(...), score_noise)`. Neither the untouched default nor any other
   run is added, no trial is stopped early, and no curve enters a history that others read. The
   default takes part by being an entry of the portfolio.
4. The whole costs `total_epsilon`, hardly more than one run, whatever K was. `noise_for` finds
   the noise multiplier with which the whole stays within a wanted epsilon.

Source: Papernot and Steinke 2022, "Hyperparameter Tuning with Renyi Differential Privacy",
Theorems 2 (truncated negative binomial) and 6 (Poisson); computed by `dp-accounting`.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy.optimize import brentq

from luthier.core.errors import FixRecipe, need_extra
from luthier.search.space import Space
from luthier.search.trial import Config

PORTFOLIO_SHARE = 0.5
"""So many of the draws come from the portfolio where there is one, the others from the prior."""

MOST_NOISE = 1e4
"""A noise multiplier at which nothing is learnt any more."""


@dataclass(frozen=True)
class Draws:
    """How many runs: `mean` of them on average.

    `logarithmic` is the truncated negative binomial with eta = 0: at least one run, often one,
    sometimes very many. `poisson` lies closer around its mean, costs more, and may give no run at
    all, in which case the untouched base ships.

    Raises: FixRecipe for a mean that the distribution cannot have.
    """

    mean: float
    kind: Literal["logarithmic", "poisson"] = "logarithmic"

    def __post_init__(self) -> None:
        if not (math.isfinite(self.mean) and self.mean > 1):
            raise FixRecipe("draws", f"{self.mean} runs on average", "above 1")

    @property
    def shape(self) -> float:
        """The distribution's parameter eta."""
        return 0.0 if self.kind == "logarithmic" else math.inf

    @property
    def gamma(self) -> float:
        """The parameter with which the logarithmic distribution has this mean, in (0, 1)."""

        def excess(log_odds: float) -> float:
            gamma = 1 / (1 + math.exp(log_odds))
            return (1 / gamma - 1) / -math.log(gamma) - self.mean

        return float(1 / (1 + math.exp(brentq(excess, -30.0, 60.0))))

    def count(self, random: np.random.Generator) -> int:
        """A number of runs. Nobody may be told it before or after."""
        if self.kind == "poisson":
            return int(random.poisson(self.mean))
        return int(random.logseries(1 - self.gamma))


def configurations(
    space: Space, portfolio: Sequence[Config], draws: Draws, random: np.random.Generator
) -> list[Config]:
    """As many configurations as `draws` gives, independent and of one distribution; some may be
    equal. The portfolio must come from tasks that may be read for this one.

    Raises: FixRecipe for an entry outside the space.
    """
    for config in portfolio:
        space.check(config)
    found = []
    for own in space.draw(random, draws.count(random)):
        kept = len(portfolio) > 0 and random.random() < PORTFOLIO_SHARE
        found.append(portfolio[int(random.integers(len(portfolio)))] if kept else own)
    return found


def training(noise: float, rows: int, batch: int, steps: int) -> Any:
    """The event of one run: `steps` updates on Poisson samples of `batch` out of `rows` rows on
    average, with clipped gradients and noise of `noise` times the clipping norm.

    Raises: InstallExtra.
    """
    dp = _accounting()
    once = dp.PoissonSampledDpEvent(batch / rows, dp.GaussianDpEvent(noise))
    return dp.SelfComposedDpEvent(once, steps)


def scored(run: Any, noise: float) -> Any:
    """A run whose score on private rows is told with noise of `noise` times what one row can
    change it. A score on public rows costs nothing: leave this out then.

    Raises: InstallExtra.
    """
    dp = _accounting()
    return dp.ComposedDpEvent([run, dp.GaussianDpEvent(noise)])


def repeated(run: Any, draws: Draws) -> Any:
    """The event of the whole: so many runs as `draws` gives, of which only the best is told.

    Raises: InstallExtra.
    """
    return _accounting().dp_event.RepeatAndSelectDpEvent(run, draws.mean, draws.shape)


def total_epsilon(run: Any, draws: Draws, delta: float) -> float:
    """Epsilon at `delta` of drawing, running and choosing as a whole, for the event of one run.
    Neighbours differ in one row that is added or removed.

    Raises: InstallExtra, FixRecipe for a delta outside (0, 1).
    """
    _accounting()
    if not 0 < delta < 1:
        raise FixRecipe("delta", f"it is {delta}", "between 0 and 1, such as 1e-5")
    from dp_accounting.rdp import RdpAccountant

    accountant = RdpAccountant()
    accountant.compose(repeated(run, draws))
    return float(accountant.get_epsilon(delta))


def noise_for(
    epsilon: float, delta: float, draws: Draws, run: Callable[[float], Any], tolerance: float = 1e-3
) -> float:
    """The least noise multiplier with which the whole stays within epsilon and delta. `run` gives
    the event of one run with a noise multiplier; more noise must never cost more.

    Raises: InstallExtra, FixRecipe when no noise suffices.
    """

    def spent(noise: float) -> float:
        return total_epsilon(run(noise), draws, delta)

    low, high = 0.1, 1.0
    while spent(high) > epsilon:
        low, high = high, 2 * high
        if high > MOST_NOISE:
            raise FixRecipe("epsilon", f"no noise keeps {draws.mean:g} draws within {epsilon:g}",
                            advice="draw less often, or score on public rows")  # fmt: skip
    while high - low > tolerance:
        middle = (low + high) / 2
        low, high = (middle, high) if spent(middle) > epsilon else (low, middle)
    return high


def _accounting() -> Any:
    if importlib.util.find_spec("dp_accounting") is None:
        raise need_extra("private", "dp-accounting", "selection under differential privacy")
    import dp_accounting

    return dp_accounting
