"""Floor 3: the state, the step and the only loop."""

from luthier.train.fit import fit
from luthier.train.state import Budget, TrainingState
from luthier.train.step import Step

__all__ = ["Budget", "Step", "TrainingState", "fit"]
