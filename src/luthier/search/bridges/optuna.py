"""Studies in Optuna's storages: written for its dashboard and plots, and read back."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from luthier.core.errors import CheckRun, FixRecipe
from luthier.search.bridges.distributions import distributions, load_optuna
from luthier.search.bridges.plain import space_from_list, space_to_list
from luthier.search.history.record import PastPoint, PastTrial, TaskRecord
from luthier.search.space import Space
from luthier.search.trial import UNITS, Config, Trial

JOURNAL = "journal://"
"""Addresses of journal files begin so: journal:///path/to/file."""

OURS = "luthier"
"""The user attribute in which a study says what its task was."""


@dataclass(frozen=True)
class Study:
    """A search as a whole; the trials of `task` itself are not read."""

    task: TaskRecord
    space: Space
    trials: Sequence[Trial]


def write_study(study: Study, url: str, name: str = "") -> str:
    """Writes a search into a storage under `name`, its id when left out; returns the name.

    A trial carries its parameters and their distributions, the points of its curve as intermediate
    values, its last score as value once it is finished, and as user attributes where it came from,
    what it cost and the whole curve. Frozen and unfinished ones are PRUNED, diverged ones FAIL.

    Raises: InstallExtra, CheckRun when the storage has such a study or cannot be opened.
    """
    optuna = load_optuna("studies in Optuna's storage")
    called = name or study.task.id
    direction = "maximize" if study.task.direction == "higher" else "minimize"
    with _storage(optuna, url) as storage:
        try:
            made = optuna.create_study(storage=storage, study_name=called, direction=direction)
        except optuna.exceptions.DuplicatedStudyError as error:
            raise CheckRun(url, f"it has a study {called!r} already",
                           advice="name another file") from error  # fmt: skip
        made.set_user_attr(OURS, _about(study.task) | {"space": space_to_list(study.space)})
        kinds = distributions(study.space)
        for trial in study.trials:
            made.add_trial(_frozen(optuna, trial, kinds))
    return called


def read_task(url: str, name: str) -> tuple[TaskRecord, Space]:
    """The task and the space of a study that `write_study` wrote.

    Raises: InstallExtra, CheckRun when there is no such study or another program wrote it.
    """
    optuna = load_optuna("studies in Optuna's storage")
    with _storage(optuna, url) as storage:
        found = _study(optuna, storage, url, name)
        about = found.user_attrs.get(OURS)
        if about is None:
            raise CheckRun(url, f"the study {name!r} does not say what its task was",
                           "a study exported by luthier tune",
                           "read_configs takes the configurations of any study")  # fmt: skip
        trials = tuple(_past(t) for t in found.trials if OURS in t.user_attrs)
    space = space_from_list(about["space"])
    task = {k: v for k, v in about.items() if k != "space"}
    return TaskRecord(**task, trials=tuple(t for t in trials if t.curve or t.diverged)), space


def read_configs(url: str, name: str, space: Space, count: int = 8) -> list[Config]:
    """Configurations to try first from any study: those that wait there, then its best ones.

    Raises: InstallExtra, CheckRun when there is no such study, FixRecipe when none of its trials
    lies in the space.
    """
    optuna = load_optuna("studies in Optuna's storage")
    with _storage(optuna, url) as storage:
        found = _study(optuna, storage, url, name)
        sign = 1.0 if found.direction.name == "MAXIMIZE" else -1.0
        trials = found.trials
    waiting = [t.system_attrs.get("fixed_params", {}) for t in trials if t.state.name == "WAITING"]
    ended = [t for t in trials if t.state.name == "COMPLETE"]
    ended.sort(key=lambda t: -sign * t.value)
    asked = [*waiting, *(t.params for t in ended)]
    inside: list[Config] = [
        config for params in asked if space.holds(config := {**space.default, **params})
    ]
    if asked and not inside:
        raise FixRecipe(f"the study {name!r}", "none of its trials lies in the space",
                        f"parameters {', '.join(space.names)}")  # fmt: skip
    return [c for place, c in enumerate(inside) if c not in inside[:place]][:count]


def _frozen(optuna: Any, trial: Trial, kinds: dict[str, Any]) -> Any:
    points = [[p.unit, p.score, p.loss, p.train_loss, p.cost] for p in trial.curve]
    attributes = {
        OURS: trial.id,
        "source": trial.source,
        "cost": trial.cost,
        "seed": trial.seed,
        "parent": trial.parent,
        "status": trial.status,
        "reason": trial.reason,
        "measures": dict(trial.curve[-1].measures) if trial.curve else {},
        "curve": points,
    }
    state = _state(trial)
    return optuna.trial.create_trial(
        state=getattr(optuna.trial.TrialState, state),
        value=trial.curve[-1].score if state == "COMPLETE" else None,
        params=dict(trial.config),
        distributions=kinds,
        user_attrs=attributes,
        intermediate_values={p.unit: p.score for p in trial.curve},
    )


def _state(trial: Trial) -> str:
    if trial.status in ("diverged", "failed"):
        return "FAIL"
    if trial.unit < UNITS:
        # A search that is over leaves nothing that waits or runs.
        return "PRUNED"
    return "COMPLETE" if math.isfinite(trial.curve[-1].score) else "FAIL"


def _past(trial: Any) -> PastTrial:
    about = trial.user_attrs
    # A clone began with another trial's parameters: its curve is not that of its configuration.
    own = about["curve"] if about["parent"] is None else ()
    curve = tuple(PastPoint(*point) for point in own if math.isfinite(point[1]))
    return PastTrial(trial.params, curve, about["source"], about["seed"],
                     about["status"] == "diverged")  # fmt: skip


def _about(task: TaskRecord) -> dict[str, Any]:
    rest = {k: v for k, v in vars(task).items() if k != "trials"}
    return {**rest, "features": dict(task.features), "facts": dict(task.facts)}


def _study(optuna: Any, storage: Any, url: str, name: str) -> Any:
    try:
        return optuna.load_study(study_name=name, storage=storage)
    except KeyError as error:
        names = optuna.get_all_study_names(storage)
        raise CheckRun(url, f"it has no study {name!r}", ", ".join(names) or "none") from error


@contextmanager
def _storage(optuna: Any, url: str) -> Iterator[Any]:
    """An open storage: a database, or a journal in a file.

    Raises: CheckRun when it cannot be opened.
    """
    from sqlalchemy.exc import SQLAlchemyError

    if url.startswith(JOURNAL):
        from optuna.storages.journal import JournalFileBackend

        yield optuna.storages.JournalStorage(JournalFileBackend(url.removeprefix(JOURNAL)))
        return
    try:
        storage = optuna.storages.RDBStorage(url)
    except (SQLAlchemyError, ImportError, ValueError, RuntimeError) as error:
        lines = str(error).strip().splitlines()
        raise CheckRun(
            url,
            f"it cannot be opened: {lines[0] if lines else type(error).__name__}",
            "such as sqlite:///study.db or journal:///tmp/study.log",
        ) from error
    try:
        yield storage
    finally:
        storage.remove_session()
        storage.engine.dispose()
