"""What programs call: plan, run, resume, predict, evaluate."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from luthier.core.errors import CheckRun, LuthierError, ResumeLater
from luthier.core.files import clear_leftovers, recover_folder, write_json, write_text
from luthier.core.progress import Progress, Silence
from luthier.core.types import Interval
from luthier.recipe.load import dump_recipe, recipe_from_dict
from luthier.recipe.recipe import Recipe
from luthier.stages.evaluation import Evaluated
from luthier.stages.evaluation import evaluate as evaluate_stage
from luthier.stages.parts.environment import environment
from luthier.stages.parts.keeping import keep
from luthier.stages.parts.prefix import drop_prefix
from luthier.stages.planning import PlanResult
from luthier.stages.reporting import Spent, report
from luthier.stages.training import Trained, memory_advice, state_key, train
from luthier.stages.workshop import Workshop, plan_of, set_up
from luthier.store.artefacts import Artefacts
from luthier.store.manifest import Manifest
from luthier.store.store import CurvePoint, RunRecord, Store
from luthier.train.world import World

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

    def as_dict(self) -> dict[str, Any]:
        """The JSON contract of `luthier run --json`."""
        return {
            "run": self.run,
            "path": str(self.path),
            "task": self.task,
            "metrics": self.metrics,
            "report": str(self.report),
            "seconds": round(self.seconds, 2),
        }


def plan(
    recipe: Given, base_folder: Path | None = None, progress: Progress | None = None
) -> PlanResult:
    """What a run would do and cost; nothing is trained and nothing is kept.

    Raises: every error a run would meet before its first update.
    """
    loaded, folder = _load(recipe, base_folder)
    with tempfile.TemporaryDirectory() as temporary:
        return plan_of(set_up(loaded, folder, Path(temporary), None, progress or Silence()))


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
    shelf = store or Store.open()
    world = World.join()
    wanted = "auto" if loaded.task == "auto" else loaded.task.value
    facts = {"base_folder": str(folder.resolve()), "environment": environment()}
    content = loaded.model_dump(mode="json")
    record = shelf.create(loaded.name, wanted, content, facts) if world.first else None
    return _work(record, loaded, folder, shelf, progress or Silence(), resume=False)


def resume(run_id: str, store: Store | None = None, progress: Progress | None = None) -> RunResult:
    """Goes on with an interrupted or failed run where its last state was saved.

    Raises: CheckRun when there is nothing to resume, or when the data changed meanwhile.
    """
    shelf = store or Store.open()
    record = shelf.find(run_id)
    if record.status == "finished":
        raise CheckRun(f"run {record.id}", "it is finished", advice="start a new run")
    recipe = recipe_from_dict(record.recipe, f"run {record.id}")
    folder = Path(record.facts["base_folder"])
    shelf.set_status(record.id, "running")
    recover_folder(record.path / "checkpoint")
    recover_folder(record.path / "best")
    clear_leftovers(record.path)
    has_state = (record.path / "checkpoint" / "state.json").is_file()
    return _work(record, recipe, folder, shelf, progress or Silence(), resume=has_state)


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

    record = (store or Store.open()).find(run)
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

    record = (store or Store.open()).find(run)
    return measure_file(record, data, base_folder or Path.cwd(), progress or Silence())


def _load(recipe: Given, base_folder: Path | None) -> tuple[Recipe, Path]:
    if isinstance(recipe, Recipe):
        return recipe, base_folder or Path.cwd()
    from luthier.recipe.load import load_recipe

    path = Path(recipe)
    return load_recipe(path), base_folder or path.resolve().parent


def _work(
    record: RunRecord | None,
    recipe: Recipe,
    base_folder: Path,
    store: Store,
    progress: Progress,
    resume: bool,
) -> RunResult:
    started = time.perf_counter()
    folder = record.path if record else Path(tempfile.mkdtemp(prefix="luthier-"))
    try:
        shop = set_up(recipe, base_folder, folder, Artefacts(store.folder), progress)
        _same_data(record, shop)
        if record:
            _begin(record, shop, store)
        with memory_advice(shop, "training"):
            trained = train(shop, progress, resume)
        if trained.interrupted:
            raise ResumeLater(
                f"run {folder.name}",
                f"stopped by you after {trained.state.step} of {shop.timing.steps} updates; "
                "the state is saved",
                advice=f"luthier runs resume {folder.name}",
            )
        if record is None:
            # Of several processes the first evaluates and writes; the others are done here.
            shutil.rmtree(folder, ignore_errors=True)
            seconds = time.perf_counter() - started
            return RunResult("", folder, shop.task.value, {}, folder, seconds)
        with memory_advice(shop, "the last evaluation"):
            found = evaluate_stage(shop, trained, progress)
        return _finish(record, shop, trained, found, store, time.perf_counter() - started)
    except ResumeLater as error:
        _mark(record, store, "interrupted", str(error))
        raise
    except KeyboardInterrupt:
        _mark(record, store, "interrupted", "stopped by you")
        raise
    except LuthierError as error:
        _mark(record, store, "failed", str(error))
        raise
    except Exception as error:
        _mark(record, store, "failed", f"{type(error).__name__}: {error}")
        raise


def _mark(record: RunRecord | None, store: Store, status: Any, reason: str) -> None:
    if record is not None:
        store.set_status(record.id, status, reason)


def _same_data(record: RunRecord | None, shop: Workshop) -> None:
    if record is None:
        return
    before = record.facts.get("state_key")
    if before is not None and before != state_key(shop):
        changed = record.facts.get("data_hash") != shop.prepared.fingerprint
        raise CheckRun(
            f"run {record.id}",
            "the data file changed since the run began"
            if changed
            else "model or packages changed since the run began",
            advice="restore it, or start a new run",
        )


def _begin(record: RunRecord, shop: Workshop, store: Store) -> None:
    write_text(record.path / "recipe.yaml", dump_recipe(shop.recipe))
    write_json(record.path / "recipe.json", shop.recipe.model_dump(mode="json"))
    write_json(record.path / "plan.json", plan_of(shop).as_dict())
    write_json(record.path / "data_report.json", shop.prepared.report.as_dict())
    store.set_facts(
        record.id,
        {
            "task": shop.task.value,
            "data_hash": shop.prepared.fingerprint,
            "base_hash": shop.base.hash,
            "contract": shop.contract.hash,
            "state_key": state_key(shop),
            "seeds": {
                "train": shop.recipe.train.seed,
                "split": shop.recipe.data.split.seed,
                "evaluate": shop.recipe.evaluate.seed,
            },
            "sealed_test": shop.prepared.sealed.seal,
        },
    )


def _finish(
    record: RunRecord,
    shop: Workshop,
    trained: Trained,
    found: Evaluated,
    store: Store,
    seconds: float,
) -> RunResult:
    keep(shop)
    write_json(record.path / "metrics.json", found.metrics())
    report(shop, trained, found, record, Spent(seconds, peak_memory_mb()))
    for which, name in (("base", found.base), ("tuned", found.tuned)):
        store.record_metrics(record.id, "test", which, dict(found.intervals[name]))  # type: ignore[arg-type]
    per_step = trained.state.seconds / max(1, trained.state.step)
    store.record_curve(
        record.id,
        [CurvePoint(s, round(s * per_step, 3), n, v) for s, n, v in trained.state.curve],
    )
    store.set_facts(
        record.id,
        {
            "metrics": found.metrics(),
            "seconds": round(seconds, 2),
            "best_step": trained.best_step,
            "stopped": trained.state.stopped,
            "openings": shop.prepared.sealed.openings,
        },
    )
    drop_prefix(record.path / "prefix")
    shutil.rmtree(record.path / "checkpoint", ignore_errors=True)
    Manifest.write(record.path)
    store.set_status(record.id, "finished")
    return _result(record.id, record.path, shop, found, seconds)


def _result(
    run_id: str, folder: Path, shop: Workshop, found: Evaluated, seconds: float
) -> RunResult:
    summary = tuple(
        (c.metric, c.base, c.tuned, c.difference, c.p_value) for c in found.comparison.values()
    )
    return RunResult(
        run_id, folder, shop.task.value, found.metrics(), folder / "report.html", seconds, summary
    )


def peak_memory_mb() -> float | None:
    """Largest resident memory of this process so far in MB, where the system tells."""
    try:
        import resource
    except ImportError:
        return None
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000, 1)
