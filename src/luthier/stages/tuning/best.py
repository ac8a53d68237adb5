"""The best parameters of each trial, kept beside its state."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from safetensors.torch import load_file, save_file

from luthier.core.files import new_folder, write_json
from luthier.evaluate.measure import metric
from luthier.search.trial import Observation
from luthier.train.state import TrainingState


@dataclass(frozen=True)
class Best:
    """One folder per trial, with parameters, their score and their unit."""

    folder: Path
    metric: str

    def keep(self, trial: str, state: TrainingState, found: Observation) -> None:
        """Keeps the parameters unless an earlier point of the trial was at least as good."""
        place = self.folder / trial
        sign = 1.0 if metric(self.metric).direction == "higher" else -1.0
        if (place / "best.json").is_file() and not sign * found.score > sign * self.of(trial)[0]:
            return
        place.parent.mkdir(parents=True, exist_ok=True)
        with new_folder(place) as made:
            tensors = {n: t.contiguous().cpu() for n, t in state.snapshot().items()}
            save_file(tensors, str(made / "best.safetensors"))
            write_json(made / "best.json", {"score": found.score, "unit": found.unit})

    def of(self, trial: str) -> tuple[float, int]:
        """Score and unit of a trial's best parameters."""
        about = json.loads((self.folder / trial / "best.json").read_text(encoding="utf-8"))
        return float(about["score"]), int(about["unit"])

    def restore(self, trial: str, state: TrainingState) -> None:
        """Puts a trial's best parameters into its network."""
        state.restore(load_file(str(self.folder / trial / "best.safetensors")))
