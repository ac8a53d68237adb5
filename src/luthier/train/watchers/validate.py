"""Measures the validation rows, keeps the best parameters, and stops when nothing improves."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Sequence
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

Direction = Literal["higher", "lower"]
Measure = Callable[[Network], dict[str, float]]


@dataclass
class Patience:
    """Counts validations in a row that show no progress; after `most` of them patience is lost.

    Progress is a better score than before, or a lower loss: the loss counts where the score stays
    at nothing until the network is sure enough, as with marks in texts. `afresh`, what the state
    before the first update shows does not count: training that starts from less than what was
    measured there would be given up while it is still on its way back.
    """

    direction: Direction
    most: int | None
    afresh: bool = False
    misses: int = 0
    _reached: float = math.nan
    _lowest: float = math.inf

    @classmethod
    def of(
        cls,
        curve: Iterable[tuple[int, str, float]],
        names: Sequence[str],
        direction: Direction,
        most: int | None,
        afresh: bool,
    ) -> Patience:
        """As a curve left it whose points are called `names`: score and loss."""
        found, seen = cls(direction, most, afresh), dict[int, dict[str, float]]()
        for step, name, value in curve:
            seen.setdefault(step, {})[name] = value
        for step, at in sorted(seen.items()):
            if names[0] in at:
                found.saw(step, at[names[0]], at.get(names[1], math.inf))
        return found

    @property
    def lost(self) -> bool:
        """Whether it is time to stop."""
        return self.most is not None and self.misses >= self.most

    def saw(self, step: int, score: float, loss: float = math.inf) -> None:
        """Takes in one validation."""
        fell, self._lowest = loss < self._lowest, min(loss, self._lowest)
        if step == 0 and self.afresh:
            return
        sign = 1.0 if self.direction == "higher" else -1.0
        first = math.isnan(self._reached) and not math.isnan(score)
        # Written so that NaN never counts as progress.
        rose = first or sign * score > sign * self._reached
        if rose:
            self._reached = score
        self.misses = 0 if rose or fell or step == 0 else self.misses + 1


@dataclass
class KeepBest:
    """Validates every `every` updates and before the first; the best parameters are kept on disk.

    `metric` is the one that was asked for; when it is missing from a measurement that is an
    error, never a reason to use another. `reads_private` says that scores steer training.
    Without `untrained` the state before the first update is not among the candidates: training
    against attacks costs clean quality, and would be thrown away. `falling` and `afresh`: see
    `Patience`.
    """

    measure: Measure
    metric: str
    direction: Direction
    every: int
    folder: Path
    patience: int | None = None
    best: float | None = None
    best_step: int = 0
    reads_private: bool = True
    untrained: bool = True
    falling: str | None = None
    afresh: bool = False

    def __post_init__(self) -> None:
        self._waits = Patience(self.direction, self.patience, self.afresh)

    def begin(self, state: TrainingState) -> None:
        """Measures the state as it is, or takes up what an earlier call kept."""
        kept = self.folder / "best.json"
        found = state.step > 0 and state.world.first and kept.is_file()
        text = state.world.tell(kept.read_text(encoding="utf-8") if found else "")
        if text:
            about = json.loads(text)
            self.best, self.best_step = about["value"], about["step"]
            names = [f"validation {name}" for name in (self.metric, self.falling or "")]
            self._waits = Patience.of(
                state.curve, names, self.direction, self.patience, self.afresh
            )
        elif state.step == 0 and self.untrained:
            self._look(state)

    def after(self, state: TrainingState, report: Report) -> Stop | None:
        """Validates when it is time."""
        if state.step % self.every:
            return None
        self._look(state)
        if self._waits.lost:
            return Stop(f"no better {self.metric} in {self._waits.misses} validations")
        return None

    def end(self, state: TrainingState) -> None:
        """Nothing to tidy."""

    def restore(self, state: TrainingState) -> None:
        """Puts the best parameters into the state; of several processes the first reads."""
        file = self.folder / "best.safetensors"
        state.restore(load_file(str(file)) if state.world.first else {})

    def _look(self, state: TrainingState) -> None:
        """Measures, and keeps what is the best so far."""
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
        self._waits.saw(state.step, value, float(state.world.tell(repr(float(own)))))
        sign = 1.0 if self.direction == "higher" else -1.0
        known = self.best is not None and not math.isnan(self.best)
        # Written so that NaN never counts as better than a number.
        if known and not sign * value > sign * (self.best or 0.0):
            return
        self.best, self.best_step = value, state.step
        tensors = state.gathered()
        about = {"step": state.step, "metric": self.metric, "value": value}

        def write() -> None:
            with new_folder(self.folder) as place:
                save_file(tensors, str(place / "best.safetensors"))
                (place / "best.json").write_text(json.dumps(about), encoding="utf-8")

        state.world.write(self.folder, write)


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
