"""A run from its first file to its report; every part of it is recorded in the store."""

from __future__ import annotations

import shutil
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from luthier.core.errors import CheckRun, FixRecipe, LuthierError, ResumeLater
from luthier.core.files import clear_leftovers, recover_folder, write_json
from luthier.core.progress import Progress
from luthier.recipe.load import recipe_from_dict
from luthier.recipe.recipe import Recipe
from luthier.stages.api import RunResult
from luthier.stages.evaluation import Evaluated
from luthier.stages.evaluation import evaluate as evaluate_stage
from luthier.stages.fewshot.picked import keep_choice, train_on_picked
from luthier.stages.fewshot.settling import state_wish
from luthier.stages.parts.card import write_card
from luthier.stages.parts.environment import environment
from luthier.stages.parts.keeping import keep, keep_recipe
from luthier.stages.parts.pinning import pin_recipe
from luthier.stages.parts.prefix import drop_prefix
from luthier.stages.reporting import Spent, report
from luthier.stages.safety import checks
from luthier.stages.safety.attacking.checked import attacked
from luthier.stages.safety.attacking.harden import harden
from luthier.stages.safety.evidence import write_evidence
from luthier.stages.stacking.joint import join_words
from luthier.stages.training import Trained, demand_same_data, memory_advice, state_key, train
from luthier.stages.workshop import Workshop, plan_of, set_up
from luthier.stages.writing.climb import take_ladder
from luthier.store.artefacts import Artefacts
from luthier.store.manifest import Manifest
from luthier.store.store import CurvePoint, RunRecord, Store
from luthier.train.world import World


def begin(recipe: Recipe, base_folder: Path, store: Store, progress: Progress) -> RunResult:
    """A new run of a recipe whose paths start at `base_folder`.

    What the recipe names on the hub is recorded with its commit; where the hub does not tell it,
    there is no run.

    Raises: every LuthierError; the run is then marked failed with the reason, or interrupted.
    """
    world = World.join()
    recipe = state_wish(pin_recipe(recipe, base_folder))
    wanted = "auto" if recipe.task == "auto" else recipe.task.value
    facts = {"base_folder": str(base_folder.resolve()), "environment": environment()}
    content = recipe.model_dump(mode="json")
    record = store.create(recipe.name, wanted, content, facts) if world.first else None
    return _work(record, recipe, base_folder, store, progress, resume=False)


def go_on(run_id: str, store: Store, progress: Progress) -> RunResult:
    """Goes on with an interrupted or failed run where its last state was saved.

    Raises: CheckRun when there is nothing to resume, or when the data changed meanwhile.
    """
    record = store.find(run_id)
    if record.status == "finished":
        raise CheckRun(f"run {record.id}", "it is finished", advice="start a new run")
    world = World.join()
    recipe = recipe_from_dict(record.recipe, f"run {record.id}")
    if recipe.fast.shard == "on" and world.size == 1:
        # A state is whole on disk: what several processes began, one can end.
        recipe = recipe.model_copy(
            update={"fast": recipe.fast.model_copy(update={"shard": "auto"})}
        )
    folder = Path(record.facts["base_folder"])
    if world.first:
        store.set_status(record.id, "running")
        recover_folder(record.path / "checkpoint")
        recover_folder(record.path / "best")
        clear_leftovers(record.path)
    has_state = (record.path / "checkpoint" / "state.json").is_file()
    resume = world.any(world.first and has_state)
    return _work(record if world.first else None, recipe, folder, store, progress, resume)


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
        if record:
            demand_same_data(record, shop)
        suspected = checks.before(shop, progress) if record else {}
        if record:
            _begin(record, shop, store)
        with memory_advice(shop, "training"):
            if shop.recipe.fewshot.enabled == "on":
                shop, trained = take_ladder(shop, base_folder, store, progress, resume)
                keep_recipe(folder, shop)
            elif shop.recipe.tune is not None:
                shop, trained = _search(record, shop, store, progress)
            elif shop.recipe.data.select is not None:
                shop, trained = train_on_picked(shop, Artefacts(store.folder), progress, resume)
            else:
                trained = train(shop, progress, resume)
        if trained.interrupted:
            raise ResumeLater(
                f"run {folder.name}",
                f"stopped by you after {trained.state.step} of {shop.timing.steps} updates; "
                "the state is saved",
                advice=f"luthier runs resume {folder.name}",
            )
        if record is None and not shop.network.in_parts:
            # Of several processes the first evaluates and writes; the others are done here.
            return _leave(folder, shop, time.perf_counter() - started)
        if record:
            with memory_advice(shop, "hardening"):
                shop, trained = _harden(record, shop, trained, store, progress)
        with memory_advice(shop, "the last evaluation"):
            join_words(shop, trained, progress)
            found = evaluate_stage(shop, trained, progress)
            checks.after(shop, trained, suspected, progress)
            attacked(shop, trained, found.exam, Artefacts(store.folder), progress)
        keep(shop)
        if record is None:
            return _leave(folder, shop, time.perf_counter() - started)
        return _finish(record, shop, trained, found, store, time.perf_counter() - started)
    except ResumeLater as error:
        _mark(record, store, "interrupted", str(error))
        raise
    except KeyboardInterrupt:
        raise _stopped(record, store) from None
    except LuthierError as error:
        _mark(record, store, "failed", str(error))
        raise
    except Exception as error:
        _mark(record, store, "failed", f"{type(error).__name__}: {error}")
        raise


def _search(
    record: RunRecord | None, shop: Workshop, store: Store, progress: Progress
) -> tuple[Workshop, Trained]:
    """The best of a search in place of one training; the run's recipe becomes the winner's."""
    from luthier.stages.tuning.tune import tune

    if record is None or World.join().size > 1:
        raise FixRecipe(
            "tune",
            "a search runs in one process and torchrun started several",
            advice="start it without torchrun; tune.executor: ray uses more machines",
        )
    shop, trained = tune(shop, record, store, progress)
    keep_recipe(record.path, shop)
    write_json(record.path / "search.json", trained.search)
    return shop, trained


def _harden(
    record: RunRecord, shop: Workshop, trained: Trained, store: Store, progress: Progress
) -> tuple[Workshop, Trained]:
    """The hardened model where it was asked for and accepted; the run's recipe becomes its own."""
    made = harden(shop, trained, Artefacts(store.folder), progress)
    if made.trained.interrupted:
        raise ResumeLater(
            f"run {record.id}",
            "stopped by you while hardening; the first training is saved",
            advice=f"luthier runs resume {record.id}",
        )
    if made.changed:
        keep_recipe(record.path, made.shop)
    return made.shop, made.trained


def _leave(folder: Path, shop: Workshop, seconds: float) -> RunResult:
    """The end of a process that records nothing."""
    shutil.rmtree(folder, ignore_errors=True)
    return RunResult("", folder, shop.task.value, {}, folder, seconds)


def _stopped(record: RunRecord | None, store: Store) -> BaseException:
    """What is said where the user stops a run outside the updates of its training."""
    _mark(record, store, "interrupted", "stopped by you")
    if record is None:
        return KeyboardInterrupt()
    states = [record.path / "checkpoint" / "state.json", record.path / "search" / "trials"]
    kept = "what was trained is saved" if any(s.exists() for s in states) else "nothing was trained"
    return ResumeLater(
        f"run {record.id}", f"stopped by you; {kept}", advice=f"luthier runs resume {record.id}"
    )


def _mark(record: RunRecord | None, store: Store, status: Any, reason: str) -> None:
    if record is not None:
        store.set_status(record.id, status, reason)


def _begin(record: RunRecord, shop: Workshop, store: Store) -> None:
    keep_recipe(record.path, shop)
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
    write_json(record.path / "metrics.json", found.metrics())
    if shop.prepared.filters is not None:
        trained.safety["filters"] = shop.prepared.filters
    if trained.ladder is not None:
        write_json(record.path / "ladder.json", trained.ladder)
    keep_choice(record.path, trained, found.against)
    if trained.safety:
        write_json(record.path / "safety.json", trained.safety)
    if shop.recipe.safety is not None:
        write_evidence(record.path, shop.task.generates, datetime.now(UTC))
    page = report(shop, trained, found, record, Spent(seconds, peak_memory_mb()))
    write_card(shop, trained, page)
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
    if trained.search is None:
        from luthier.stages.tuning.remember import remember

        remember(shop, trained, record, store)
    drop_prefix(record.path / "prefix")
    shutil.rmtree(record.path / "checkpoint", ignore_errors=True)
    shutil.rmtree(record.path / "search", ignore_errors=True)
    Manifest.write(record.path)
    store.set_status(record.id, "finished")
    return _result(record, shop, trained, found, seconds)


def _result(
    record: RunRecord, shop: Workshop, trained: Trained, found: Evaluated, seconds: float
) -> RunResult:
    summary = tuple(
        (c.metric, c.base, c.tuned, c.difference, c.p_value) for c in found.comparison.values()
    )
    return RunResult(
        record.id,
        record.path,
        shop.task.value,
        found.metrics(),
        record.path / "report.html",
        seconds,
        summary,
        trained.search,
    )


def peak_memory_mb() -> float | None:
    """Largest resident memory of this process so far in MB, where the system tells."""
    try:
        import resource
    except ImportError:
        return None
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000, 1)
