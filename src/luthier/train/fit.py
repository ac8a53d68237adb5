"""The only loop in the house."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from contextlib import ExitStack

import torch

from luthier.core.errors import LowerLearningRate
from luthier.core.seeds import derive
from luthier.data.feed.batches import BatchSource
from luthier.train.state import Budget, TrainingState
from luthier.train.step import Step
from luthier.train.watcher import Report, Watcher


def fit(
    state: TrainingState,
    step: Step,
    batches: BatchSource,
    budget: Budget,
    watchers: Sequence[Watcher] = (),
) -> TrainingState:
    """Advances `state` by `step` over `batches` until the budget is spent or a watcher says stop.

    The random numbers of update s are seeded by the state's seed and s alone, so stopping and
    resuming, here or elsewhere, gives the same bits.

    Raises: LowerLearningRate as soon as a loss or a gradient is not finite.
    """
    # The last to begin ends first, and every one that began ends, whatever the others raise.
    with ExitStack() as endings:
        for watcher in watchers:
            watcher.begin(state)
            endings.callback(watcher.end, state)
        while not budget.spent(state):
            report = advance(state, step, batches)
            verdicts = [watcher.after(state, report) for watcher in watchers]
            stop = next((v for v in verdicts if v is not None), None)
            if stop is not None:
                state.stopped = stop.reason
                break
    return state


def advance(state: TrainingState, step: Step, batches: BatchSource) -> Report:
    """One update.

    Raises: LowerLearningRate when the loss or the gradient is not finite; the parameters have not
    moved then.
    """
    started = time.perf_counter()
    state.network.mode(True, state.base_dropout)
    torch.manual_seed(derive(state.seed, "step", state.step))
    batch = batches.at(state.step)
    gradient = step.gradient(step.objective, state.network, batch)
    if gradient.loss is not None and not math.isfinite(gradient.loss):
        raise _diverged(state, f"the loss is {gradient.loss}")
    norm = step.update.apply(state.trainable, state.optimizer, state.step)
    if not math.isfinite(norm):
        raise _diverged(state, "the gradient is not finite")
    spent = time.perf_counter() - started
    state.step += 1
    state.seconds += spent
    state.tokens += gradient.tokens
    if gradient.loss is not None:
        state.note("loss", gradient.loss)
    return Report(gradient, norm, spent)


def _diverged(state: TrainingState, what: str) -> LowerLearningRate:
    return LowerLearningRate(
        f"update {state.step + 1}",
        what,
        advice="lower train.learning_rate, raise train.schedule.warmup, or use float32",
    )
