"""Measures the validation rows, keeps the best parameters, and stops when nothing improves."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from safetensors.torch import load_file, save_file

from luthier.core.errors import FixRecipe, NothingLearned
from luthier.core.files import new_folder
from luthier.models.network import Network
from luthier.train.state import TrainingState
from luthier.train.step import largest_move
from luthier.train.watcher import Report, Stop

Measure = Callable[[Network], dict[str, float]]


@dataclass
class KeepBest:
    """Validates every `every` updates and before the first; the best parameters are kept on disk.

    `metric` is the one that was asked for; when it is missing from a measurement that is an
    error, never a reason to use another. `reads_private` says that scores steer training.
    Without `untrained` the state before the first update is not among the candidates: training
    against attacks costs clean quality, and would be thrown away. While the measure called
    `falling` falls, nothing is given up: marks in texts are found by nobody at first, and their F1
    stays at nothing until the network is sure enough of some.
    """

    measure: Measure
    metric: str
    direction: Literal["higher", "lower"]
    every: int
    folder: Path
    patience: int | None = None
    best: float | None = None
    best_step: int = 0
    _misses: int = 0
    reads_private: bool = True
    untrained: bool = True
    falling: str | None = None
    _lowest: float = math.inf

    def begin(self, state: TrainingState) -> None:
        """Measures the state as it is, or takes up what an earlier call kept."""
        kept = self.folder / "best.json"
        found = state.step > 0 and state.world.first and kept.is_file()
        text = state.world.tell(kept.read_text(encoding="utf-8") if found else "")
        if text:
            about = json.loads(text)
            self.best, self.best_step = about["value"], about["step"]
            self._recount(state)
        elif state.step == 0 and self.untrained:
            self._look(state)

    def after(self, state: TrainingState, report: Report) -> Stop | None:
        """Validates when it is time."""
        if state.step % self.every:
            return None
        improved, fell = self._look(state)
        self._misses = 0 if improved or fell else self._misses + 1
        if self.patience is not None and self._misses >= self.patience:
            return Stop(f"no better {self.metric} in {self._misses} validations")
        return None

    def end(self, state: TrainingState) -> None:
        """Nothing to tidy."""

    def restore(self, state: TrainingState) -> None:
        """Puts the best parameters into the state; of several processes the first reads."""
        file = self.folder / "best.safetensors"
        state.restore(load_file(str(file)) if state.world.first else {})

    @property
    def _name(self) -> str:
        return f"validation {self.metric}"

    def _recount(self, state: TrainingState) -> None:
        """Validations without progress before the process was cut off."""
        seen: dict[int, dict[str, float]] = {}
        for step, name, value in state.curve:
            seen.setdefault(step, {})[name] = value
        for step, found in sorted(seen.items()):
            if self._name in found:
                fell = self._fell(found.get(f"validation {self.falling}", math.inf))
                self._misses = 0 if fell or step <= self.best_step else self._misses + 1

    def _fell(self, value: float) -> bool:
        fell, self._lowest = value < self._lowest, min(value, self._lowest)
        return fell

    def _look(self, state: TrainingState) -> tuple[bool, bool]:
        """Whether the metric is the best so far, and whether what should fall fell."""
        state.network.mode(False, False)
        found = self.measure(state.network)
        for name, value in found.items():
            state.note(f"validation {name}", value)
        if self.metric not in found:
            raise FixRecipe(
                "evaluate.metric",
                f"{self.metric!r} was not measured",
                f"one of {', '.join(sorted(found))}",
            )
        # All processes follow the first one's number: they must agree to the bit.
        value = float(state.world.tell(repr(float(found[self.metric]))))
        own = found.get(self.falling or "", math.inf)
        fell = self._fell(float(state.world.tell(repr(float(own)))))
        sign = 1.0 if self.direction == "higher" else -1.0
        known = self.best is not None and not math.isnan(self.best)
        # Written so that NaN never counts as better than a number.
        if known and not sign * value > sign * (self.best or 0.0):
            return False, fell
        self.best, self.best_step = value, state.step
        tensors = state.gathered()
        about = {"step": state.step, "metric": self.metric, "value": value}

        def write() -> None:
            with new_folder(self.folder) as place:
                save_file(tensors, str(place / "best.safetensors"))
                (place / "best.json").write_text(json.dumps(about), encoding="utf-8")

        state.world.write(self.folder, write)
        return True, fell


@dataclass
class MustMove:
    """Fails a run whose parameters stay where they were, as happens when an adapter is cut off."""

    patience: int = 20

    def begin(self, state: TrainingState) -> None:
        """Remembers where the parameters are."""
        self._before = state.here()
        self._from = state.step

    def after(self, state: TrainingState, report: Report) -> None:
        """Looks once, after the first few updates."""
        if state.step - self._from == self.patience:
            self._check(state)

    def end(self, state: TrainingState) -> None:
        """Looks again when training was shorter than that."""
        if 3 <= state.step - self._from < self.patience:
            self._check(state)

    def _check(self, state: TrainingState) -> None:
        if state.world.largest(largest_move(self._before, state.here())) == 0.0:
            raise NothingLearned(
                f"update {state.step}",
                "no trained parameter has moved",
                advice="check adapter.targets and train.learning_rate",
            )
