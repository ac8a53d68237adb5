"""One resident base on which trials are attached, advanced, measured and taken off again."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import nn

from luthier.core.errors import CheckRun, FixRecipe
from luthier.core.files import new_folder, write_json
from luthier.core.hashing import hash_value
from luthier.core.progress import Silence
from luthier.core.seeds import derive
from luthier.core.types import Task
from luthier.data.feed.batches import EpochBatches
from luthier.data.feed.ragged import Ragged
from luthier.evaluate.baseline import LinearProbe
from luthier.evaluate.measure import metric as metric_named
from luthier.evaluate.measure import metrics_of
from luthier.evaluate.predictions import Predictions
from luthier.models.adapter import lowest_trained
from luthier.models.build import assemble, build_adapter, build_head
from luthier.models.network import Network
from luthier.recipe.recipe import Recipe
from luthier.search.trial import UNITS, Config, Observation, Slice
from luthier.stages import planning
from luthier.stages.combinations import selection_metric
from luthier.stages.parts.answers import Exam, features, score_all, to_predictions, truth_of
from luthier.stages.parts.prefix import keep_prefix
from luthier.stages.training import descent, reference_margins
from luthier.stages.tuning.configured import RATE, configured
from luthier.stages.tuning.rows import Halves, row_losses
from luthier.stages.workshop import Workshop
from luthier.train.fit import fit
from luthier.train.gradients.plain import PlainGradient
from luthier.train.state import Budget, TrainingState
from luthier.train.step import Step
from luthier.train.watcher import Watcher


@dataclass
class Member:
    """A trial while it is attached to the base."""

    shop: Workshop
    state: TrainingState
    step: Step
    batches: EpochBatches
    hidden: Ragged | None


def no_measures(member: Member, piece: Slice) -> dict[str, float]:
    """Nothing beside the metrics is measured."""
    return {}


@dataclass
class SharedBase:
    """The base, the tokens and the kept prefixes of one task; trials come and go.

    The order of the data and the first values of equal shapes depend on the recipe's seed only,
    so that trials can be compared row by row. A trial's state is on disk after each slice.
    """

    shop: Workshop
    folder: Path
    metric: str
    halves: Halves
    probe: LinearProbe | None = None
    reference: NDArray[np.float32] | None = None
    watchers: tuple[Watcher, ...] = ()
    extra: Callable[[Member, Slice], dict[str, float]] = no_measures
    _prefixes: dict[int, Ragged] = field(default_factory=dict)
    _pristine: dict[str, torch.Tensor] = field(default_factory=dict)

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
        shared = SharedBase(shop, folder, chosen, own)
        train = shop.part(shop.prepared.splits.train)
        shared.reference = reference_margins(shop, train, check, Silence())
        shared._detach(shop.network)
        if shop.recipe.adapter.kind == "full":
            whole = shop.base.network.state_dict()
            shared._pristine = {name: tensor.clone() for name, tensor in whole.items()}
        shared._fit_probe()
        return shared

    def advance(self, piece: Slice) -> Observation:
        """Advances a trial from where its last slice left it, and measures it.

        Raises: LowerLearningRate when it diverges; its state then stays as it was.
        """
        started = time.process_time()
        member = self._attach(piece)
        try:
            before = member.state.seconds
            until = units_to_steps(piece.until, member.shop.timing.steps)
            losses = len(member.state.curve)
            fit(member.state, member.step, member.batches, Budget(until), self.watchers)
            seen = [v for _, name, v in member.state.curve[losses:] if name == "loss"]
            found = self._observe(member, piece, float(np.mean(seen)) if seen else float("nan"))
            self._keep_best(member, piece, found)
            # The clock of a trial is processor time, evaluations and attaching included.
            member.state.seconds = before + time.process_time() - started
            member.state.save(self._place(piece.trial), self._key(piece))
        finally:
            self._detach(member.shop.network)
        return replace(found, cost=member.state.seconds)

    def measured(self, piece: Slice, examples: NDArray[np.int64]) -> Predictions:
        """What a trial at its present state says of some validation examples."""
        member = self._attach(piece)
        try:
            return self._answers(member, self._exam(member, examples))
        finally:
            self._detach(member.shop.network)

    def before(self) -> float:
        """The wanted metric of the network of the recipe before its first update."""
        piece = Slice("before", {}, 0)
        member = self._attach(piece)
        try:
            return self._observe(member, piece, float("nan")).score
        finally:
            self._detach(member.shop.network)

    def take(self, piece: Slice) -> tuple[Member, float, int]:
        """A trial attached for good with its best parameters; their score and unit."""
        member = self._attach(piece)
        place = self.folder / "best" / piece.trial
        about = json.loads((place / "best.json").read_text(encoding="utf-8"))
        member.state.restore(load_file(str(place / "best.safetensors")))
        return member, float(about["score"]), int(about["unit"])

    def confirm(self, piece: Slice) -> Observation:
        """What a trial's best parameters show on the second half of the validation rows."""
        member, _, unit = self.take(piece)
        try:
            exam = self._exam(member, self.halves.second)
            answers = self._answers(member, exam)
            losses, right = row_losses(
                member.shop.network, member.shop.head, exam, answers, self.reference
            )
            score = metrics_of(answers).get(self.metric, float("nan"))
            return Observation(
                unit, score, float(losses.mean()), float("nan"), 0.0, {}, losses, right
            )
        finally:
            self._detach(member.shop.network)

    def estimate(self, config: Config) -> planning.Costs:
        """Memory and time of a whole run with a configuration.

        Raises: LowerMemory when it does not fit into what is free.
        """
        shop = self._shop_of(Slice("", config, 0))
        try:
            rows = shop.part(shop.prepared.splits.train)
            return planning.estimate(
                shop.network, shop.encoded, rows, shop.recipe, shop.timing.steps
            )
        finally:
            self._detach(shop.network)

    def recipe_of(self, config: Config) -> Recipe:
        """The resolved recipe of a configuration: what an ordinary run with it would be given."""
        return self._recipe(config)

    # -- attaching -------------------------------------------------------------------------

    def _recipe(self, config: Config) -> Recipe:
        shop = self.shop
        recipe = configured(shop.recipe, config, self._layers)
        offset = float(config.get(RATE, 0.0))
        adapter = build_adapter(recipe.adapter)
        rated = recipe.model_copy(
            update={"train": recipe.train.model_copy(update={"learning_rate": "auto"})}
        )
        rows = len(shop.part(shop.prepared.splits.train))
        solved = planning.resolve(rated, shop.task, rows, shop.network, adapter)
        assert solved.train.learning_rate != "auto"
        rate = float(f"{solved.train.learning_rate * 10**offset:.4g}")
        # Passes are a fidelity, never a parameter: every trial sees the recipe's own.
        train = solved.train.model_copy(
            update={"learning_rate": rate, "epochs": shop.recipe.train.epochs}
        )
        # The recipe of a trial is that of an ordinary run: without a search of its own.
        return solved.model_copy(update={"train": train, "tune": None})

    def _attach(self, piece: Slice) -> Member:
        shop = self._shop_of(piece)
        hidden = self._prefix(shop)
        step = Step(shop.head.losses, PlainGradient(shop.device), descent(shop))
        if shop.network.output is not None and self.probe is not None:
            self._start_at_probe(shop.network)
        state = TrainingState.begin(
            shop.network, step.update, derive(shop.recipe.train.seed, "trial", piece.seed)
            if piece.seed else shop.recipe.train.seed, shop.recipe.fast.base_dropout,
        )  # fmt: skip
        place = self._place(piece.trial)
        if place.exists():
            state.load(place, self._key(piece))
        elif piece.parent is not None:
            self._inherit(state, piece.parent)
        batches = EpochBatches(
            shop.encoded,
            shop.part(shop.prepared.splits.train),
            shop.batch_plan(packed=True),
            hidden,
            self.reference,
        )
        return Member(shop, state, step, batches, hidden)

    def _shop_of(self, piece: Slice) -> Workshop:
        shop, recipe = self.shop, self._recipe(piece.config)
        adapter = build_adapter(recipe.adapter)
        seed = derive(recipe.train.seed, "trial", piece.seed) if piece.seed else recipe.train.seed
        head = build_head(shop.task, shop.prepared.facts, recipe.train)
        network = assemble(shop.base, adapter, head, seed)
        legal = planning.paths(recipe, shop.task, network, adapter)
        head = build_head(shop.task, shop.prepared.facts, recipe.train, legal["chunked_loss"].on)
        rows = len(shop.part(shop.prepared.splits.train))
        timing = planning.schedule(recipe, rows)
        return replace(shop, recipe=recipe, adapter=adapter, network=network, head=head,
                       legal=legal, timing=timing)  # fmt: skip

    def _detach(self, network: Network) -> None:
        """Gives the base back as it was."""
        model = network.model
        if hasattr(model, "peft_config"):
            model.unload()  # type: ignore[operator]
        elif self._pristine:
            self.shop.base.network.load_state_dict(self._pristine)
        self.shop.base.network.requires_grad_(False)

    def _start_at_probe(self, network: Network) -> None:
        assert self.probe is not None and isinstance(network.output, nn.Linear)
        weight, bias = self.probe.linear()
        with torch.no_grad():
            network.output.weight.copy_(torch.from_numpy(weight))
            network.output.bias.copy_(torch.from_numpy(bias))

    def _inherit(self, state: TrainingState, parent: str) -> None:
        """Begins with the parameters of another trial of the same shapes."""
        place = self._place(parent)
        if not (place / "state.safetensors").is_file():
            raise CheckRun(str(place), "the trial to be cloned has no state")
        state.inherit(place)

    # -- measuring -------------------------------------------------------------------------

    def _observe(self, member: Member, piece: Slice, train_loss: float) -> Observation:
        exam = self._exam(member, self.halves.first)
        answers = self._answers(member, exam)
        found = metrics_of(answers)
        if self.metric not in found:
            raise FixRecipe("tune.maximize", f"{self.metric!r} has no value on these validation "
                            "rows", ", ".join(sorted(found)))  # fmt: skip
        losses, right = row_losses(
            member.shop.network, member.shop.head, exam, answers, self.reference
        )
        return Observation(
            unit=piece.until,
            score=found[self.metric],
            loss=float(losses.mean()),
            train_loss=train_loss,
            cost=0.0,
            measures=found | (self.extra(member, piece) if piece.until else {}),
            losses=losses,
            right=right,
        )

    def _keep_best(self, member: Member, piece: Slice, found: Observation) -> None:
        """Keeps the parameters when no earlier point of the trial was better."""
        place = self.folder / "best" / piece.trial
        sign = 1.0 if metric_named(self.metric).direction == "higher" else -1.0
        if (place / "best.json").is_file():
            known = json.loads((place / "best.json").read_text(encoding="utf-8"))
            if sign * known["score"] >= sign * found.score:
                return
        place.parent.mkdir(parents=True, exist_ok=True)
        with new_folder(place) as made:
            tensors = {n: t.contiguous().cpu() for n, t in member.state.snapshot().items()}
            save_file(tensors, str(made / "best.safetensors"))
            write_json(made / "best.json", {"score": found.score, "unit": found.unit})

    def _answers(self, member: Member, exam: Exam) -> Predictions:
        shop = member.shop
        scores = score_all(shop.network, shop.head, exam)
        if shop.task is Task.INSTRUCT and _needs_text(self.metric):
            from luthier.stages.parts.generation import written

            return written(shop, shop.network, exam, scores, rows=64)
        return to_predictions(shop.task, shop.head.labels, exam, scores)

    def _exam(self, member: Member, examples: NDArray[np.int64]) -> Exam:
        shop = member.shop
        return Exam(shop.encoded, examples, shop.prepared.table, shop.batch_plan(), member.hidden)

    # -- shared parts ----------------------------------------------------------------------

    @property
    def _layers(self) -> int:
        return self.shop.network.stack.layers

    def _examples(self) -> NDArray[np.int64]:
        splits = self.shop.prepared.splits
        return np.concatenate([self.shop.part(splits.train), self.shop.part(splits.validation)])

    def _prefix(self, shop: Workshop) -> Ragged | None:
        """The kept prefix of a depth, made at its first use and shared by all later trials."""
        if not shop.legal["prefix_cache"].on:
            return None
        below = lowest_trained(shop.adapter, shop.network.stack)
        shop.network.cut_below(below)
        if below not in self._prefixes:
            exam = shop.exam(shop.encoded, self._examples())
            place = self.folder / f"prefix-{below}"
            self._prefixes[below] = keep_prefix(shop.network, exam, below, place, Silence())
        return self._prefixes[below]

    def _fit_probe(self) -> None:
        shop = self.shop
        if shop.task is not Task.CLASSIFY or not shop.recipe.evaluate.probe:
            return
        train = shop.exam(shop.encoded, shop.part(shop.prepared.splits.train))
        check = shop.exam(shop.encoded, self.halves.first)
        known = (features(shop.network, train), truth_of(train))
        checked = (features(shop.network, check), truth_of(check))
        self.probe = LinearProbe.fit(shop.head.labels.names, known, checked)

    def _place(self, trial: str) -> Path:
        return self.folder / "trials" / trial

    def _key(self, piece: Slice) -> str:
        """What a saved trial must agree with to be advanced."""
        shop = self.shop
        return hash_value({
            "data": shop.prepared.fingerprint, "base": shop.base.hash,
            "contract": shop.contract.hash, "seed": piece.seed,
            "recipe": self._recipe(piece.config).model_dump(mode="json"),
        })  # fmt: skip


def units_to_steps(units: int, steps: int) -> int:
    """Updates after so many sixteenths of an ordinary run; at least one per unit."""
    return steps if units >= UNITS else max(units, round(steps * units / UNITS))


def _needs_text(metric: str) -> bool:
    return metric in ("exact_match", "chrf") or metric.startswith("rouge")
