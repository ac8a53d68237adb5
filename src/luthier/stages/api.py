"""What programs call: plan, run, resume, predict, evaluate, audit."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from luthier.core.home import default_home
from luthier.core.progress import Progress, Silence
from luthier.core.types import Interval
from luthier.recipe.recipe import Recipe
from luthier.stages.explaining.calls import before_after as before_after
from luthier.stages.explaining.calls import explain as explain
from luthier.stages.explaining.calls import mislabelled as mislabelled

if TYPE_CHECKING:
    from luthier.stages.forecast.result import PlanResult
    from luthier.store.store import Store

Given = Recipe | str | Path


@dataclass(frozen=True)
class RunResult:
    """A finished run."""

    run: str
    path: Path
    task: str
    metrics: dict[str, Any]
    report: Path
    seconds: float
    summary: tuple[tuple[str, float, float, Interval, float], ...] = ()
    search: dict[str, Any] | None = None

    def as_dict(self) -> dict[str, Any]:
        """The JSON contract of `luthier run --json`; `search` is there after a search only."""
        told = {} if self.search is None else {"search": self.search}
        return {
            "run": self.run,
            "path": str(self.path),
            "task": self.task,
            "metrics": self.metrics,
            "report": str(self.report),
            "seconds": round(self.seconds, 2),
            **told,
        }


def plan(
    recipe: Given,
    base_folder: Path | None = None,
    progress: Progress | None = None,
    home: Path | None = None,
) -> PlanResult:
    """What a run would do and cost; nothing is trained and nothing is kept.

    `home` is the folder of the runs (else $LUTHIER_HOME, else `~/.luthier`): what private runs
    there spent of the same data set counts.

    Raises: every error a run would meet before its first update.
    """
    from luthier.stages.forecast.foresee import foresee

    loaded, folder = _load(recipe, base_folder)
    with tempfile.TemporaryDirectory() as temporary:
        place = home or default_home()
        return foresee(loaded, folder, Path(temporary), place, progress or Silence())


def run(
    recipe: Given,
    base_folder: Path | None = None,
    progress: Progress | None = None,
    store: Store | None = None,
) -> RunResult:
    """Prepares, trains, evaluates and reports; every part of it is recorded in the store.

    Raises: every LuthierError; the run is then marked failed with the reason, or interrupted.
    """
    loaded, folder = _load(recipe, base_folder)
    from luthier.stages.running import begin
    from luthier.store.store import Store

    return begin(loaded, folder, store or Store.open(), progress or Silence())


def tune(
    recipe: Given,
    base_folder: Path | None = None,
    progress: Progress | None = None,
    store: Store | None = None,
) -> RunResult:
    """A run whose hyper-parameters are searched first, under the recipe's `tune:` section or the
    usual one where it has none.

    Raises: as `run`.
    """
    from luthier.recipe.tune import Tune

    loaded, folder = _load(recipe, base_folder)
    if loaded.tune is None:
        loaded = loaded.model_copy(update={"tune": Tune()})
    return run(loaded, folder, progress, store)


def resume(run_id: str, store: Store | None = None, progress: Progress | None = None) -> RunResult:
    """Goes on with an interrupted or failed run where its last state was saved.

    Raises: CheckRun when there is nothing to resume, or when the data changed meanwhile.
    """
    from luthier.stages.running import go_on
    from luthier.store.store import Store

    return go_on(run_id, store or Store.open(), progress or Silence())


def predict(
    run: str,
    rows: Iterable[dict[str, Any]],
    store: Store | None = None,
    progress: Progress | None = None,
) -> Iterator[dict[str, Any]]:
    """The tuned model's answer to each row, in order.

    Raises: CheckRun for an unknown or unfinished run, FixData for a row without input.
    """
    from luthier.stages.predicting import answers
    from luthier.store.store import Store

    record = (store or Store.open()).finished(run)
    return answers(record, rows, progress or Silence())


def evaluate(
    run: str,
    data: str,
    store: Store | None = None,
    progress: Progress | None = None,
    base_folder: Path | None = None,
) -> dict[str, Any]:
    """The run's metrics on any labelled file, with intervals.

    Raises: CheckRun, FixData.
    """
    from luthier.stages.predicting import measure_file
    from luthier.store.store import Store

    record = (store or Store.open()).finished(run)
    return measure_file(record, data, base_folder or Path.cwd(), progress or Silence())


def audit(
    run: str, store: Store | None = None, progress: Progress | None = None, rows: int = 5_000
) -> dict[str, Any]:
    """What is proved about a run's privacy and what attacks achieve; at most `rows` rows that were
    trained on are looked at, and as many others.

    Raises: CheckRun for a run that is not finished or whose data changed.
    """
    from luthier.stages.safety.audit import Asked
    from luthier.stages.safety.audit import audit as audit_stage
    from luthier.store.store import Store

    opened = store or Store.open()
    return audit_stage(opened.finished(run), opened, Asked(rows), progress or Silence())


def audit_bias(
    run: str, store: Store | None = None, progress: Progress | None = None, **asked: Any
) -> dict[str, Any]:
    """Differences in what a model says about groups of people, with intervals; kept as bias.json
    of the run. `asked` are the fields of `luthier.stages.bias.asked.Asked`.

    Raises: CheckRun, FixData, FixRecipe.
    """
    from luthier.stages.bias.asked import Asked
    from luthier.stages.bias.audit import audit_bias as audit_stage
    from luthier.store.store import Store

    record = (store or Store.open()).finished(run)
    return audit_stage(record, Asked(**asked), progress or Silence())


def repair(
    run: str,
    store: Store | None = None,
    progress: Progress | None = None,
    *,
    kinds: Sequence[str] = (),
    margin: float = 0.02,
    **asked: Any,
) -> dict[str, Any]:
    """Trainings of a finished run against bias, and what the gate says; an accepted one is a run of
    its own that names its parent. `kinds` are tried in turn, else the whole ladder, corrected
    `labels` first where they are given; `margin` of a metric may be lost. `asked` are the other
    fields of `luthier.stages.bias.repair.Asked`.

    Raises: CheckRun, FixData, FixRecipe.
    """
    from luthier.explain.bias.acceptance import Limits
    from luthier.stages.bias.repair import Asked, ladder
    from luthier.stages.bias.repair import repair as repair_stage
    from luthier.store.store import Store

    opened = store or Store.open()
    tried = tuple(kinds) or ladder(asked.get("labels") is not None)
    wanted = Asked(kinds=tried, limits=Limits(margin=margin), **asked)
    return repair_stage(opened.finished(run), opened, wanted, progress or Silence())


def attack(
    run: str,
    store: Store | None = None,
    progress: Progress | None = None,
    *,
    attacks: Sequence[str] | None = None,
    queries: int = 100,
    rows: int = 100,
    data: str | None = None,
) -> dict[str, Any]:
    """What attacks on a tuned model achieve, with intervals; kept as attack.json of the run.

    Raises: FixRecipe for an unknown attack; CheckRun for a run that is not finished, or neither
    classifies nor writes.
    """
    from luthier.stages.safety.attacking.attack import Asked
    from luthier.stages.safety.attacking.attack import attack as attack_stage
    from luthier.store.store import Store

    opened = store or Store.open()
    asked = Asked(tuple(attacks or ()), queries, rows, data)
    return attack_stage(opened.finished(run), opened, asked, Path.cwd(), progress or Silence())


def certify(
    run: str,
    store: Store | None = None,
    progress: Progress | None = None,
    *,
    draws: int = 200,
    rows: int = 100,
    data: str | None = None,
) -> dict[str, Any]:
    """Accuracy of a tuned classifier that so many exchanged words provably cannot lower, when it
    votes over `draws` masked copies of a text; kept as certificate.json of the run.

    Raises: CheckRun for a run that is no finished classifier.
    """
    from luthier.stages.safety.attacking.attack import Asked
    from luthier.stages.safety.attacking.certify import certificate
    from luthier.store.store import Store

    opened = store or Store.open()
    asked = Asked(rows=rows, data=data)
    return certificate(opened.finished(run), asked, draws, Path.cwd(), progress or Silence())


def _load(recipe: Given, base_folder: Path | None) -> tuple[Recipe, Path]:
    if isinstance(recipe, Recipe):
        return recipe, base_folder or Path.cwd()
    from luthier.recipe.load import load_recipe

    path = Path(recipe)
    return load_recipe(path), base_folder or path.resolve().parent
