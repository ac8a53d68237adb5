"""Syne Tune's schedulers as released, asked and told by hand with one worker."""

from __future__ import annotations

import logging
import random
from datetime import datetime

import numpy as np
import pandas as pd
from replay import Leader, Play
from syne_tune.backend.trial_status import Trial
from syne_tune.config_space import choice, loguniform, uniform
from syne_tune.optimizer.baselines import ASHA, BOHB
from syne_tune.optimizer.scheduler import SchedulerDecision, TrialScheduler
from syne_tune.optimizer.schedulers.transfer_learning.transfer_learning_task_evaluation import (
    TransferLearningTaskEvaluations,
)
from syne_tune.optimizer.schedulers.transfer_learning.zero_shot import ZeroShotTransfer
from tables import DECISIONS, NUMBERS, OPTIONS, SEARCHED, UNITS, Table

logging.disable(logging.WARNING)

SCORE, TIME = "score", "unit"
SPACE = {
    **{n: (loguniform if log else uniform)(low, high) for n, (low, high, log) in NUMBERS.items()},
    **{n: choice(list(options)) for n, options in OPTIONS.items()},
}


def asha(play: Play, seed: int) -> int:
    """Asynchronous successive halving that stops trials, with random configurations."""
    return _search(play, seed, ASHA(SPACE, SCORE, TIME, UNITS, do_minimize=False, random_seed=seed))


def bohb(play: Play, seed: int) -> int:
    """The same with kernel densities over good and bad configurations."""
    return _search(play, seed, BOHB(SPACE, SCORE, TIME, UNITS, do_minimize=False, random_seed=seed))


def zero_shot(play: Play, seed: int) -> int:
    """Whole trainings in the order that served other families' tasks best.

    Release 0.16 never asks this scheduler's own list when a configuration is wanted (`suggest`
    draws at random), so the list is read directly.
    """
    leader, evaluations = Leader(play), _evaluations(play.others, play.table)
    if not evaluations:
        return leader.ships
    _seeded(seed)
    scheduler = ZeroShotTransfer(SPACE, SCORE, evaluations, do_minimize=False, random_seed=seed)
    while not play.over and (wanted := scheduler.get_config()) is not None:
        entry = play.nearest(wanted)
        if entry is None:
            break
        leader.advance(entry, UNITS)
    return leader.ships


def _search(play: Play, seed: int, scheduler: TrialScheduler) -> int:
    leader, number = Leader(play), 0
    _seeded(seed)
    while not play.over:
        entry = play.nearest(scheduler.suggest().config)
        if entry is None:
            break
        config = play.table.entries[entry].config
        # The trial that is told of bears what was truly trained.
        trial = Trial(number, {n: config[n] for n in SEARCHED}, datetime.now())
        number += 1
        scheduler.on_trial_add(trial)
        for unit in DECISIONS:
            point = leader.advance(entry, unit)
            if point is None:
                scheduler.on_trial_error(trial)
                break
            result = {SCORE: point.score, TIME: unit}
            if unit == UNITS:
                scheduler.on_trial_complete(trial, result)
            elif scheduler.on_trial_result(trial, result) == SchedulerDecision.STOP:
                break
    return leader.ships


def _seeded(seed: int) -> None:
    np.random.seed(seed)
    random.seed(seed)


def _evaluations(
    tables: tuple[Table, ...], target: Table
) -> dict[str, TransferLearningTaskEvaluations]:
    """Finals of the configurations that all other families' tables have in common."""
    others = [t for t in tables if t.family != target.family]
    common = set.intersection(*[{e.key for e in t.entries} for t in others]) if others else set()
    found = {}
    for table in others:
        places = [place for place, e in enumerate(table.entries) if e.key in common]
        entries = [table.entries[place] for place in places]
        finals = np.nan_to_num(table.measured[places], nan=0.0)
        found[table.name] = TransferLearningTaskEvaluations(
            SPACE,
            pd.DataFrame([{n: e.config[n] for n in SEARCHED} for e in entries]),
            [SCORE],
            finals.reshape(-1, 1, 1, 1),
        )
    return found


SYNE_TUNE = {
    "Syne Tune ASHA": asha,
    "Syne Tune BOHB": bohb,
    "Syne Tune zero-shot transfer": zero_shot,
}
