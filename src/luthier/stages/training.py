"""The training stage: from a workshop to the best parameters on the validation rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from luthier.core.errors import CheckRun, FixRecipe, LowerMemory
from luthier.core.hashing import hash_value
from luthier.core.progress import Progress
from luthier.core.types import Task
from luthier.data.feed.batches import EpochBatches
from luthier.data.feed.ragged import Ragged
from luthier.evaluate.baseline import LinearProbe
from luthier.evaluate.measure import metric, metrics_of
from luthier.evaluate.predictions import Predictions
from luthier.models.adapter import lowest_trained
from luthier.models.network import Network
from luthier.recipe.model import Lora
from luthier.stages.bias.changing import changed
from luthier.stages.combinations import begins_behind, falling, probe_start, selection_metric
from luthier.stages.explaining.tracking.track import tracker_of
from luthier.stages.fewshot.rival import Rival
from luthier.stages.parts.answers import Exam, loss_of, score_all, to_predictions
from luthier.stages.parts.memory import ran_out
from luthier.stages.parts.prefix import keep_prefix
from luthier.stages.safety.attacking.adversarial import hardened
from luthier.stages.safety.attacking.together import against_attacks
from luthier.stages.safety.privacy import set_up_privacy
from luthier.stages.starting import StartGently, put_names, put_probe, put_start
from luthier.stages.workshop import Workshop
from luthier.store.store import RunRecord
from luthier.train.fit import fit
from luthier.train.gradients.plain import PlainGradient
from luthier.train.gradients.sharded import ShardedGradient
from luthier.train.schedule import RateSchedule
from luthier.train.state import Budget, TrainingState
from luthier.train.step import GradientRule, Step
from luthier.train.updates.rules import Descent
from luthier.train.watcher import Watcher
from luthier.train.watchers.checkpoint import INTERRUPTED, KeepState
from luthier.train.watchers.memory import GiveBack
from luthier.train.watchers.progress import ShowProgress
from luthier.train.watchers.validate import KeepBest, MustMove
from luthier.train.world import World


@dataclass
class Trained:
    """What training left behind."""

    state: TrainingState
    metric: str
    best: float | None
    best_step: int
    probe: LinearProbe | None = None
    hidden: Ragged | None = None
    notes: list[str] = field(default_factory=list)
    search: dict[str, Any] | None = None
    ladder: dict[str, Any] | None = None
    """Which few-shot rung was chosen and why; kept as ladder.json."""
    held: dict[str, Predictions] = field(default_factory=dict)
    """Answers to labelled rows held out in turn, by model: what is measured without test rows."""
    selection: dict[str, Any] | None = None
    """Which training rows were chosen and why; kept as selection.json."""
    rival: Rival | None = None
    """What was trained beside and not kept; it answers the test rows too."""
    track: dict[str, Any] | None = None
    """How explanations moved; kept as track.json where any were looked at."""
    safety: dict[str, Any] = field(default_factory=dict)
    """What each part of `safety:` tells, by its name; kept as safety.json."""

    @property
    def interrupted(self) -> bool:
        """Whether a person stopped it."""
        return self.state.stopped == INTERRUPTED


def train(shop: Workshop, progress: Progress, resume: bool = False) -> Trained:
    """Trains under the plan and puts the best parameters into the network.

    Raises: LowerLearningRate, NothingLearned, LowerMemory, FreeDisk.
    """
    world = World.join()
    chosen = selection_metric(shop.task, shop.recipe.evaluate.metric)
    train_part = shop.part(shop.prepared.splits.train)
    check_part = shop.part(shop.prepared.splits.validation)
    plain, change = shop.encoded, changed(shop, train_part, progress)
    shop.encoded, train_part = change.encoded, change.examples
    hidden = _hidden(shop, np.concatenate([change.all, check_part]), progress)
    exam = Exam(shop.encoded, check_part, shop.prepared.table, shop.batch_plan(), hidden)
    probe = put_probe(shop, exam, train_part, hidden, progress)
    start = probe or put_start(shop, exam, train_part, hidden)
    reference = reference_margins(shop, train_part, check_part, progress)
    epochs = EpochBatches(
        shop.encoded, train_part, shop.batch_plan(packed=True), hidden, reference,
        (world.rank, world.size),
    )  # fmt: skip
    batches = change.batches(epochs)
    private = set_up_privacy(shop, epochs, train_part)
    rule: GradientRule = PlainGradient(shop.device, world)
    if shop.network.in_parts:
        rule = ShardedGradient(world, shop.device)
    if private is not None:
        batches, rule = private.batches, private.rule
        private.first = partial(put_names, shop, exam)
    step = Step(change.objective(hardened(shop, progress)), rule, descent(shop))
    state = TrainingState.begin(
        shop.network, step.update, shop.recipe.train.seed, shop.recipe.fast.base_dropout, world
    )
    if resume:
        state.load(shop.folder / "checkpoint", state_key(shop))
    keeper = _keeper(shop, exam, chosen)
    watchers: list[Watcher] = [ShowProgress(progress, shop.timing.steps), GiveBack()]
    if private is not None:
        # Scores of rows that nothing accounts for must not steer: the last parameters count.
        watchers.append(private)
    elif len(check_part) and change.repair is None:
        # The parent is often best on validation rows, and keeping it would undo the repair.
        watchers.append(keeper)
    if start is not None:
        watchers.append(StartGently(start, probe_start(shop.recipe, shop.task)))
    tracker = tracker_of(shop)
    if tracker is not None:
        watchers.append(tracker)
    watchers.append(MustMove())
    watchers.append(KeepState(shop.folder / "checkpoint", state_key(shop)))
    fit(state, step, batches, Budget(shop.timing.steps), watchers)
    shop.encoded = plain
    if state.stopped != INTERRUPTED:
        change.settle(shop, progress)
    trained = Trained(state, chosen, keeper.best, keeper.best_step, probe, hidden)
    trained.track = None if tracker is None else tracker.told()
    if keeper.best is not None and not trained.interrupted:
        keeper.restore(state)
    if private is not None and not trained.interrupted:
        trained.safety["privacy"] = private.told()
    return trained


def _keeper(shop: Workshop, exam: Exam, chosen: str) -> KeepBest:
    return KeepBest(
        measure=lambda network: measured(shop, network, exam, chosen),
        metric=chosen,
        direction=metric(chosen).direction,
        every=shop.timing.every,
        folder=shop.folder / "best",
        patience=shop.recipe.train.patience,
        untrained=not against_attacks(shop.recipe),
        falling=falling(shop.task),
        afresh=begins_behind(shop.recipe, shop.task),
    )


def descent(shop: Workshop) -> Descent:
    """The update rule of a resolved recipe."""
    train_section = shop.recipe.train
    rule, shape = train_section.optimizer, train_section.schedule
    adapter = shop.recipe.adapter
    schedule = RateSchedule(shop.timing.steps, shape.kind, shape.warmup, shape.decay, shape.floor)
    return Descent(
        rate=shop.timing.rate,
        schedule=schedule,
        kind=rule.kind,
        weight_decay=rule.weight_decay,
        betas=rule.betas,
        epsilon=rule.epsilon,
        clip_norm=rule.clip_norm,
        head_rate=float(train_section.head_rate),
        b_rate=adapter.b_rate if isinstance(adapter, Lora) else 1.0,
        fused=shop.legal["fused_optimizer"].on,
    )


def state_key(shop: Workshop) -> str:
    """What a saved state must agree with to be resumed: data, base, contract and recipe.

    By how many processes it is held is no part of it.
    """
    recipe = shop.recipe.model_dump(mode="json")
    del recipe["fast"]["shard"]
    return hash_value(
        {
            "data": shop.prepared.fingerprint,
            "base": shop.base.hash,
            "contract": shop.contract.hash,
            "recipe": recipe,
        }
    )


def demand_same_data(record: RunRecord, shop: Workshop) -> None:
    """Passes where a run goes on with the data, model and packages that it began with.

    Raises: CheckRun.
    """
    before = record.facts.get("state_key")
    if before is None or before == state_key(shop):
        return
    changed = "model or packages"
    if record.facts.get("data_hash") != shop.prepared.fingerprint:
        changed = "the data file"
    raise CheckRun(
        f"run {record.id}",
        f"{changed} changed since the run began",
        advice="restore it, or start a new run",
    )


def _hidden(shop: Workshop, examples: NDArray[np.int64], progress: Progress) -> Ragged | None:
    if not shop.legal["prefix_cache"].on:
        return None
    below = lowest_trained(shop.adapter, shop.network.stack)
    shop.network.cut_below(below)
    folder = shop.folder / "prefix"
    exam = Exam(shop.encoded, examples, shop.prepared.table, shop.batch_plan())
    return keep_prefix(shop.network, exam, below, folder, progress)


def reference_margins(
    shop: Workshop,
    train_part: NDArray[np.int64],
    check_part: NDArray[np.int64],
    progress: Progress,
) -> NDArray[np.float32] | None:
    """Margins of the untouched model, which DPO compares with; before the first update the
    network still is that model."""
    if shop.task is not Task.PREFER or getattr(shop.head, "objective", "") != "dpo":
        return None
    progress.start("the untouched model's preferences", None, "pairs")
    examples = np.concatenate([train_part, check_part])
    margins = np.zeros(len(shop.encoded), np.float32)
    exam = shop.exam(shop.encoded, examples)
    margins[examples] = np.stack(score_all(shop.network, shop.head, exam, progress))[:, 0]
    return margins


def measured(shop: Workshop, network: Network, exam: Exam, wanted: str) -> dict[str, float]:
    """Every metric of the network on an exam, with `wanted` among them; at most 64 answers are
    written for it.

    Raises: FixRecipe where `wanted` has no value.
    """
    scores = score_all(network, shop.head, exam)
    predictions = to_predictions(shop.task, shop.head.labels, exam, scores)
    found = metrics_of(predictions)
    if shop.task in (Task.TAG, Task.MULTILABEL):
        found["log_loss"] = loss_of(exam, scores)
    if wanted not in found and shop.task is Task.INSTRUCT:
        from luthier.stages.parts.generation import written

        found |= metrics_of(written(shop, network, exam, scores, rows=64))
    if wanted not in found:
        raise FixRecipe(
            "evaluate.metric", f"{wanted!r} has no value on these validation rows",
            advice="choose another metric or give more validation rows",
        )  # fmt: skip
    return found


class memory_advice:  # noqa: N801
    """Turns running out of memory into advice with the plan's estimate."""

    def __init__(self, shop: Workshop, place: str) -> None:
        self._shop, self._place = shop, place

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(self, kind: type[BaseException] | None, error: Any, trace: Any) -> None:
        if ran_out(error):
            costs = self._shop.costs
            raise LowerMemory(
                self._place,
                f"memory ran out; the plan expected {costs.memory_mb:.0f} MB with "
                f"{costs.micro_rows} rows per forward pass",
                advice=f"set train.micro_batch={max(1, costs.micro_rows // 2)}, lower "
                "model.max_tokens, or adapt fewer layers with adapter.top_layers",
            ) from error
