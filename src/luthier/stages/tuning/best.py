"""How a trial is advanced, and its best parameters, kept beside its state."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from safetensors.torch import load_file, save_file

from luthier.core.files import new_folder, write_json
from luthier.evaluate.measure import metric
from luthier.search.trial import TRAINED, UNITS, Observation, Slice
from luthier.stages.combinations import begins_behind, falling
from luthier.stages.tuning.member import Member
from luthier.train.fit import fit
from luthier.train.state import Budget, TrainingState
from luthier.train.watcher import Watcher
from luthier.train.watchers.validate import Patience

FALLING = "log_loss"


@dataclass(frozen=True)
class Best:
    """One folder per trial, with parameters, their score and after how many updates they were."""

    folder: Path
    metric: str

    def keep(self, trial: str, state: TrainingState, score: float) -> None:
        """Keeps the parameters unless an earlier point of the trial was at least as good."""
        place = self.folder / trial
        sign = 1.0 if metric(self.metric).direction == "higher" else -1.0
        if (place / "best.json").is_file() and not sign * score > sign * self.of(trial)[0]:
            return
        place.parent.mkdir(parents=True, exist_ok=True)
        with new_folder(place) as made:
            tensors = {n: t.contiguous().cpu() for n, t in state.snapshot().items()}
            save_file(tensors, str(made / "best.safetensors"))
            write_json(made / "best.json", {"score": score, "step": state.step})

    def of(self, trial: str) -> tuple[float, int]:
        """Score of a trial's best parameters, and the updates they had."""
        about = json.loads((self.folder / trial / "best.json").read_text(encoding="utf-8"))
        return float(about["score"]), int(about["step"])

    def restore(self, trial: str, state: TrainingState) -> None:
        """Puts a trial's best parameters into its network."""
        state.restore(load_file(str(self.folder / trial / "best.safetensors")))


def train_on(
    best: Best,
    member: Member,
    piece: Slice,
    look: Callable[[], Observation],
    watchers: Sequence[Watcher] = (),
) -> Observation:
    """Advances a trial from one validation to the next, as an ordinary run goes, up to the end of
    the slice or of patience. Once it ended, it holds its best parameters, and these are seen."""
    state, timing = member.state, member.shop.timing
    until, found = units_to_steps(piece.until, timing.steps), None
    while state.step < until and not _over(member, best.metric):
        following = (state.step // timing.every + 1) * timing.every
        fit(state, member.step, member.batches, Budget(min(following, until)), watchers)
        found = look()
        best.keep(piece.trial, state, found.score)
        if state.step == following:
            note(state, best.metric, found)
    if not _over(member, best.metric):
        return found or look()
    if found is None or best.of(piece.trial)[1] != state.step:
        best.restore(piece.trial, state)
        found = look()
    trained = round(UNITS * state.step / timing.steps, 1)
    early = {TRAINED: trained} if state.step < timing.steps else {}
    return replace(found, unit=UNITS, measures={**found.measures, **early})


def note(state: TrainingState, wanted: str, found: Observation) -> None:
    """Puts a validation into a trial's curve, from which its patience is counted."""
    state.note(f"validation {wanted}", found.score)
    state.note(f"validation {FALLING}", found.measures.get(FALLING, math.inf))


def _over(member: Member, wanted: str) -> bool:
    """Whether an ordinary run that saw the same validations would have ended by now."""
    shop, state = member.shop, member.state
    names = [f"validation {wanted}", f"validation {falling(shop.task)}"]
    patience, direction = shop.recipe.train.patience, metric(wanted).direction
    behind = begins_behind(shop.recipe, shop.task)
    lost = Patience.of(state.curve, names, direction, patience, behind).lost
    return lost or state.step >= shop.timing.steps


def units_to_steps(units: int, steps: int) -> int:
    """Updates after so many sixteenths of an ordinary run; one per unit where there are fewer."""
    return steps if units >= UNITS else min(steps, max(units, round(steps * units / UNITS)))
