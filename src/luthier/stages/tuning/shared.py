"""One resident base on which trials are attached, advanced, measured and taken off again."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from luthier.core.errors import CheckRun, FixRecipe, LowerLearningRate
from luthier.core.files import recover_folder
from luthier.core.hashing import hash_value
from luthier.core.progress import Silence
from luthier.data.feed.batches import EpochBatches
from luthier.evaluate.baseline import LinearProbe
from luthier.evaluate.predictions import Predictions
from luthier.models.network import Network
from luthier.recipe.recipe import Recipe
from luthier.search.trial import UNITS, Config, Observation, Slice
from luthier.stages import planning
from luthier.stages.combinations import probe_start, selection_metric
from luthier.stages.safety.attacking.together import against_attacks
from luthier.stages.starting import put_layer, put_start
from luthier.stages.training import descent, reference_margins
from luthier.stages.tuning.best import Best, note, train_on
from luthier.stages.tuning.fitting import (
    Vectors,
    fitted_probe,
    trial_recipe,
    trial_seed,
    trial_shop,
    whole_run,
)
from luthier.stages.tuning.member import Member, no_measures
from luthier.stages.tuning.prefixes import Prefixes
from luthier.stages.tuning.rows import Halves
from luthier.stages.workshop import Workshop
from luthier.train.gradients.plain import PlainGradient
from luthier.train.state import TrainingState
from luthier.train.step import Step
from luthier.train.watcher import Watcher


@dataclass
class SharedBase:
    """The base, the tokens and the kept prefixes of one task; trials come and go.

    The order of the data and the first values of equal shapes depend on the recipe's seed only,
    so that trials can be compared row by row. A trial's state is on disk after each slice.
    Several processes may share `folder` when each keeps its prefixes elsewhere, in `kept`.
    """

    shop: Workshop
    folder: Path
    metric: str
    halves: Halves
    probe: LinearProbe | None = None
    start: LinearProbe | None = None
    reference: NDArray[np.float32] | None = None
    watchers: tuple[Watcher, ...] = ()
    kept: Path | None = None
    extra: Callable[[Member, Slice], dict[str, float]] = no_measures
    prefixes: Prefixes = field(default_factory=Prefixes)
    _untrained: dict[int, Observation] = field(default_factory=dict)
    _pristine: dict[str, torch.Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.vectors = Vectors(self.shop)

    @staticmethod
    def begin(
        shop: Workshop, folder: Path, halves: Halves | None = None, metric: str = "auto"
    ) -> SharedBase:
        """Takes the workshop's base over; its own adapter is taken off.

        Validation rows are divided into random halves unless they are given.

        Raises: FixRecipe when there are too few validation rows to choose and confirm by.
        """
        wanted = shop.recipe.evaluate.metric if metric == "auto" else metric
        chosen = selection_metric(shop.task, wanted)
        check = shop.part(shop.prepared.splits.validation)
        if len(check) < 4:
            raise FixRecipe("data.split.validation", f"{len(check)} validation rows",
                            "at least 4, better some hundreds", "give more rows")  # fmt: skip
        folder.mkdir(parents=True, exist_ok=True)
        own = halves or Halves.of(check, shop.recipe.train.seed)
        shared, train = SharedBase(shop, folder, chosen, own), shop.part(shop.prepared.splits.train)
        shared.reference = reference_margins(shop, train, check, Silence())
        shared.start = put_start(shop, shop.exam(shop.encoded, own.first), train, None)
        shared._detach(shop.network)
        if shop.recipe.adapter.kind == "full":
            shared._pristine = {n: t.clone() for n, t in shop.base.network.state_dict().items()}
        shared.probe = fitted_probe(shop, own.first, shared.vectors)
        return shared

    @property
    def best(self) -> Best:
        """The best parameters of all trials."""
        return Best(self.folder / "best", self.metric)

    def advance(self, piece: Slice) -> Observation:
        """Advances a trial from where its last slice left it, and measures it.

        It is validated where an ordinary run is, and ends where that would lose patience. At the
        end it holds its best parameters, and these are what is seen: they are what would ship.

        Raises: LowerLearningRate when it diverges or its metric is no number; its state then
        stays as it was.
        """
        started = time.process_time()
        member = self._attach(piece)
        try:
            state, before, losses = member.state, member.state.seconds, len(member.state.curve)
            self._keep_untrained(member, piece)
            look = partial(self._observe, member, piece)
            found = train_on(self.best, member, piece, look, self.watchers)
            seen = [v for _, name, v in state.curve[losses:] if name == "loss"]
            more = self.extra(member, replace(piece, until=found.unit))
            found = replace(found, train_loss=float(np.mean(seen)) if seen else math.nan,
                            measures={**found.measures, **more})  # fmt: skip
            # The clock of a trial is processor time, evaluations and attaching included.
            state.seconds = before + time.process_time() - started
            state.save(self._place(piece.trial), trial_key(self.shop, piece))
        finally:
            self._detach(member.shop.network)
        return replace(found, cost=member.state.seconds)

    def measured(self, piece: Slice, examples: NDArray[np.int64]) -> Predictions:
        """What a trial at its present state says of some validation examples."""
        member = self._attach(piece)
        try:
            return member.answers(examples, self.metric)
        finally:
            self._detach(member.shop.network)

    def before(self) -> float:
        """The wanted metric of the network of the recipe before its first update."""
        member = self._attach(Slice("before", {}, 0))
        try:
            return self._seen_untrained(member, 0).score
        finally:
            self._detach(member.shop.network)

    def take(self, piece: Slice) -> tuple[Member, float, int]:
        """A trial attached for good with its best parameters; their score and updates."""
        member = self._attach(piece)
        self.best.restore(piece.trial, member.state)
        return member, *self.best.of(piece.trial)

    def confirm(self, piece: Slice) -> Observation:
        """What a trial's best parameters show on the second half of the validation rows."""
        member, _, _ = self.take(piece)
        try:
            return member.observation(self.halves.second, self.metric, UNITS, self.reference)
        finally:
            self._detach(member.shop.network)

    def estimate(self, config: Config) -> planning.Costs:
        """Memory and time of a whole run with a configuration. No trial may be attached.

        Raises: LowerMemory when it does not fit into what is free.
        """
        shop = trial_shop(self.shop, Slice("", config, 0))
        try:
            return whole_run(shop)
        finally:
            self._detach(shop.network)

    def recipe_of(self, config: Config) -> Recipe:
        """The resolved recipe of a configuration: what an ordinary run with it would be given."""
        return trial_recipe(self.shop, config)

    def _attach(self, piece: Slice) -> Member:
        shop = trial_shop(self.shop, piece)
        hidden = self.prefixes.of(shop, self.kept or self.folder)
        step = Step(shop.head.losses, PlainGradient(shop.device), descent(shop))
        self._put_start(shop)
        state = TrainingState.begin(
            shop.network, step.update, trial_seed(shop.recipe, piece), shop.recipe.fast.base_dropout
        )
        place = self._place(piece.trial)
        recover_folder(place)
        if place.exists():
            state.load(place, trial_key(self.shop, piece))
        elif piece.parent is not None:
            self._inherit(state, piece.parent)
        batches = EpochBatches(
            shop.encoded, shop.part(shop.prepared.splits.train),
            shop.batch_plan(packed=True), hidden, self.reference,
        )  # fmt: skip
        return Member(shop, state, step, batches, hidden)

    def _put_start(self, shop: Workshop) -> None:
        """What training starts from, in the output layer."""
        if shop.network.output is not None and (start := self.probe or self.start) is not None:
            put_layer(shop.network, start.linear(True, probe_start(shop.recipe, shop.task)))

    def _detach(self, network: Network) -> None:
        """Gives the base back as it was."""
        model = network.model
        if hasattr(model, "peft_config"):
            model.unload()  # type: ignore[operator]
        elif self._pristine:
            self.shop.base.network.load_state_dict(self._pristine)
        self.shop.base.network.requires_grad_(False)

    def _inherit(self, state: TrainingState, parent: str) -> None:
        """Begins with the parameters of another trial of the same shapes."""
        place = self._place(parent)
        if not (place / "state.safetensors").is_file():
            raise CheckRun(str(place), "the trial to be cloned has no state")
        state.inherit(place)

    def _observe(self, member: Member, piece: Slice) -> Observation:
        found = member.observation(self.halves.first, self.metric, piece.until, self.reference)
        if not (math.isfinite(found.score) and math.isfinite(found.loss)):
            raise LowerLearningRate(
                f"trial {piece.trial}, unit {piece.until} of {UNITS}",
                f"{self.metric} is {found.score:.4g} and the mean loss {found.loss:.4g}",
                "numbers on the validation rows",
            )
        return found

    def _keep_untrained(self, member: Member, piece: Slice) -> None:
        """Makes the state before the first update a candidate, the same one for all trials."""
        state = member.state
        if state.step or piece.parent is not None or against_attacks(member.shop.recipe):
            return
        if (sharp := self.probe or self.start) is not None:
            put_layer(member.shop.network, sharp.linear())
        found = self._seen_untrained(member, piece.seed)
        self.best.keep(piece.trial, state, found.score)
        note(state, self.metric, found)
        self._put_start(member.shop)

    def _seen_untrained(self, member: Member, seed: int) -> Observation:
        if seed not in self._untrained:
            seen = member.observation(self.halves.first, self.metric, 0, self.reference)
            self._untrained[seed] = seen
        return self._untrained[seed]

    def _place(self, trial: str) -> Path:
        return self.folder / "trials" / trial


def trial_key(shop: Workshop, piece: Slice) -> str:
    """What a saved trial must agree with to be advanced."""
    return hash_value({
        "data": shop.prepared.fingerprint, "base": shop.base.hash,
        "contract": shop.contract.hash, "seed": piece.seed,
        "recipe": trial_recipe(shop, piece.config).model_dump(mode="json"),
    })  # fmt: skip
