"""Sources of proposals: each looks at the search so far and names a configuration to try."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from luthier.search.costs import Costs
from luthier.search.models.posterior import Posterior
from luthier.search.scale import Scale
from luthier.search.space import Space, same
from luthier.search.trial import Config, Trial


@dataclass(frozen=True)
class Proposal:
    """A configuration, and the trial whose parameters it starts from when it is a clone."""

    config: Config
    parent: str | None = None


@dataclass(frozen=True)
class View:
    """What a source may look at. `best` is the incumbent's believed final relative score,
    `posterior` uses history, `own` the present task alone."""

    space: Space
    scale: Scale
    trials: Sequence[Trial]
    incumbent: Trial
    best: float
    posterior: Posterior
    own: Posterior
    costs: Costs
    random: np.random.Generator
    portfolio: Sequence[Config] = field(default_factory=tuple)

    def tried(self, config: Config) -> bool:
        """Whether a trial with this configuration exists."""
        return any(same(config, t.config) for t in self.trials)


class Sampler(Protocol):
    """A source of proposals, known to the bandit by its name."""

    @property
    def name(self) -> str:
        """A short name for logs and reports."""

    def propose(self, view: View) -> Proposal | None:
        """The next configuration to try, None when this source has nothing to say now."""
