"""Optuna's samplers and pruner as released, told which configurations were truly trained."""

from __future__ import annotations

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.trial import Trial, TrialState
from replay import Leader, Play
from tables import DECISIONS, NUMBERS, OPTIONS, SEARCHED, UNITS

optuna.logging.set_verbosity(optuna.logging.ERROR)

DISTRIBUTIONS: dict[str, BaseDistribution] = {
    **{name: FloatDistribution(low, high, log=log) for name, (low, high, log) in NUMBERS.items()},
    **{name: CategoricalDistribution(options) for name, options in OPTIONS.items()},
}


def tpe(play: Play, seed: int) -> int:
    """Tree-structured Parzen estimator; every trial is trained to its end."""
    return _search(play, optuna.samplers.TPESampler(seed=seed), None)


def tpe_hyperband(play: Play, seed: int) -> int:
    """The same with Hyperband's pruner, looked at after 1, 2, 4, 8 and 16 units."""
    pruner = optuna.pruners.HyperbandPruner(min_resource=1, max_resource=UNITS)
    return _search(play, optuna.samplers.TPESampler(seed=seed), pruner)


def tpe_hyperband_after_default(play: Play, seed: int) -> int:
    """The same for a user who enqueues the default as the first trial."""
    pruner = optuna.pruners.HyperbandPruner(min_resource=1, max_resource=UNITS)
    return _search(play, optuna.samplers.TPESampler(seed=seed), pruner, default_first=True)


def gaussian_process(play: Play, seed: int) -> int:
    """Gaussian process with log expected improvement."""
    return _search(play, optuna.samplers.GPSampler(seed=seed), None)


def gaussian_process_after_default(play: Play, seed: int) -> int:
    """The same for a user who enqueues the default as the first trial."""
    return _search(play, optuna.samplers.GPSampler(seed=seed), None, default_first=True)


def _search(
    play: Play,
    sampler: optuna.samplers.BaseSampler,
    pruner: optuna.pruners.BasePruner | None,
    default_first: bool = False,
) -> int:
    study = optuna.create_study(
        direction="maximize",
        sampler=sampler,
        pruner=pruner or optuna.pruners.NopPruner(),
        study_name="replay",
    )
    leader = Leader(play)
    while not play.over:
        wanted = study.ask(DISTRIBUTIONS)
        given = default_first and not play.units
        entry = 0 if given else play.nearest(wanted.params)
        # What was asked for is given back as failed, which samplers leave out of account; what is
        # trained instead enters the study as if it had been asked for.
        study.tell(wanted, state=TrialState.FAIL)
        if entry is None:
            break
        config = play.table.entries[entry].config
        study.enqueue_trial({name: config[name] for name in SEARCHED})
        _train(study, study.ask(DISTRIBUTIONS), entry, leader)
    return leader.ships


def _train(study: optuna.Study, trial: Trial, entry: int, leader: Leader) -> None:
    point = None
    for unit in DECISIONS:
        point = leader.advance(entry, unit)
        if point is None:
            study.tell(trial, state=TrialState.FAIL)
            return
        trial.report(point.score, unit)
        if unit < UNITS and trial.should_prune():
            study.tell(trial, state=TrialState.PRUNED)
            return
    assert point is not None
    study.tell(trial, point.score)


OPTUNA = {
    "Optuna TPE": tpe,
    "Optuna TPE + Hyperband": tpe_hyperband,
    "Optuna GP": gaussian_process,
    "Optuna TPE + Hyperband, default first": tpe_hyperband_after_default,
    "Optuna GP, default first": gaussian_process_after_default,
}
