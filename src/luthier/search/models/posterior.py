"""What is believed about the final relative score of any configuration or trial."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from luthier.search.trial import Config, Trial


@dataclass(frozen=True)
class Belief:
    """Mean and standard deviation (N,) of final relative scores; normal."""

    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]


class Posterior(Protocol):
    """Beliefs given everything seen so far on this task and, perhaps, on earlier ones."""

    def of_configs(self, configs: Sequence[Config]) -> Belief:
        """Of configurations that were never tried."""

    def of_trials(self, trials: Sequence[Trial]) -> Belief:
        """Of trials, given their learning curves so far."""
