"""The tuning stage: a search around the recipe, and the best trial in place of one training."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from luthier.core.errors import CheckRun, FixRecipe, LowerLearningRate
from luthier.core.hashing import hash_value
from luthier.core.progress import Progress
from luthier.evaluate.measure import metric
from luthier.recipe.tune import Tune
from luthier.search.bridges.plain import space_to_list
from luthier.search.bridges.stored import SPACE
from luthier.search.budget import Limit
from luthier.search.controller import Controller
from luthier.search.deciding.standing import ASKED_FOR
from luthier.search.finals import Finals
from luthier.search.history.log import StoredLog
from luthier.search.history.past import History
from luthier.search.history.portfolio import portfolio
from luthier.search.history.record import TaskRecord
from luthier.search.problem import Problem, Rules
from luthier.search.samplers.simple import opening_of
from luthier.search.scale import Scale
from luthier.search.trial import UNITS, Executor, Observation, Slice, Trial, Value
from luthier.stages.stacking.joint import put_joint, seconds
from luthier.stages.training import Trained
from luthier.stages.tuning.costs import TrialCosts
from luthier.stages.tuning.ending.stacking import refusal, stack
from luthier.stages.tuning.features import anchor, family_of, task_features
from luthier.stages.tuning.fitting import formula_rate
from luthier.stages.tuning.goal import Goal, asks_latency
from luthier.stages.tuning.member import Member
from luthier.stages.tuning.scaling.executor import open_executor
from luthier.stages.tuning.shallow import chosen, depth_of, train_whole, with_whole
from luthier.stages.tuning.shared import SharedBase
from luthier.stages.tuning.space import demand_effect, formula_first, soft_start, space_of
from luthier.stages.tuning.telling.show import Show
from luthier.stages.tuning.telling.story import Story, tell
from luthier.stages.workshop import Workshop
from luthier.store.store import RunRecord, Store
from luthier.store.studies import StudyRow

OPENING = 4
"""Configurations of the portfolio."""

STOPPED = "stopped by you"
"""Why a search ended that the user interrupted."""


@dataclass
class Search:
    """A search that is set up: its parts, before the first trial. A limit in seconds counts from
    `started`, so looking at the task is part of it. `own` is the recipe's depth where trials adapt
    the upper layers only."""

    shared: SharedBase
    goal: Goal
    problem: Problem
    log: StoredLog
    limit: Limit
    started: float
    own: Value | None = None


def tune(
    shop: Workshop, record: RunRecord, store: Store, progress: Progress
) -> tuple[Workshop, Trained]:
    """Searches, chooses, and hands the winner on as if it had been trained alone.

    Stopped by the user, it goes on with the best trial so far. Called again for a run that was
    cut off, it takes up all trials where their last slice left them.

    Raises: FixRecipe when a condition cannot be met or nothing may be searched.
    """
    search = set_up_search(shop, record, store, progress)
    executor = open_executor(_section(shop), search.shared, record, store)
    try:
        return _searched(shop, search, executor, progress)
    finally:
        executor.close()


def _searched(
    shop: Workshop, search: Search, executor: Executor, progress: Progress
) -> tuple[Workshop, Trained]:
    controller = Controller(
        search.problem, executor, search.log, search.limit,
        listener=Show(progress, search.goal.metric), began=search.started,
    )  # fmt: skip
    seeds = _section(shop).seeds
    try:
        trials = controller.run()
    except KeyboardInterrupt:
        if not any(t.unit == UNITS for t in controller.trials):
            raise
        progress.say("stopped by you; the best trial so far is kept")
        executor.close()
        trials, seeds, controller.stopped = controller.trials, 0, STOPPED
    _demand_default(trials[0])
    search.goal.conditions.demand_met(trials)
    choice = _finals(search, controller, seeds).decide(trials, controller.posterior)
    progress.say(choice.why)
    told = tell(controller, choice, search.goal, search.limit)
    # Who stopped the search does not wait for a whole run after it.
    if search.own is not None and controller.stopped != STOPPED:
        whole = train_whole(search.shared.advance, choice, search.own, progress)
        first, choice = choice, chosen(search.problem, whole, choice.winner, _confirm(search))
        progress.say(choice.why)
        told = with_whole(told, whole, first, choice)
    winner = choice.winner.trials[0]
    member, score, step = search.shared.take(_piece(winner))
    told = _joined(search, controller, member, told, progress)
    trained = Trained(
        member.state, search.goal.metric, score, step,
        search.shared.probe, member.hidden, [choice.why], told.as_dict(),
    )  # fmt: skip
    return member.shop, trained


def _joined(
    search: Search, controller: Controller, member: Member, told: Story, progress: Progress
) -> Story:
    """The story with what came of joining the winner with words; its shop is changed where both
    ship together. Who stopped the search does not wait for it."""
    shop, limit = search.shared.shop, search.limit
    why = refusal(shop, search.goal, _section(shop))
    if controller.stopped == STOPPED:
        why = STOPPED
    takes = 0.0 if why else seconds(shop)
    share = limit.share(takes, 0, takes / max(controller.costs.whole_seconds, 1e-9))
    if controller.spent + share > 1 and takes:
        why = f"the budget does not bear the {takes:.0f} seconds it is expected to take"
    if why:
        return replace(told, stack={"kept": False, "why": why})
    progress.start("joining the network with words", None, "")
    made = stack(member, search.shared.halves, search.goal.metric)
    progress.say(made.why)
    if made.kept:
        put_joint(member.shop, made.lexical, made.powers)
    return replace(told, stack=made.as_dict(), advice=told.advice + made.advice)


def set_up_search(shop: Workshop, record: RunRecord, store: Store, progress: Progress) -> Search:
    """Everything a search needs, from the resident base to the history that fits the task.

    Raises: FixRecipe for a goal, a space or a budget that cannot be; LowerMemory when the recipe
    itself does not fit.
    """
    section = _section(shop)
    started = time.monotonic()
    limit = Limit.read(section.budget)
    goal = Goal.read(section, shop.task, shop.recipe.evaluate.metric)
    space = space_of(shop.recipe, shop.task, formula_rate(shop))
    if all(p.fixed for p in space.parameters):
        raise FixRecipe("tune.space", "no parameter is left to search", "at least one with a range")
    progress.start("looking at the task before the search", None, "")
    shared = SharedBase.begin(shop, record.path / "search", metric=goal.metric)
    costs = TrialCosts(shared, asks_latency(section))
    shared.extra = costs.measures
    demand_effect(space, shared.recipe_of)
    log = StoredLog(store, record.id, record.path / "search" / "rows")
    depth = depth_of(space, limit, costs, log.trials())
    space = depth.space
    if depth.said:
        progress.say(depth.said)
    features = task_features(shared)
    known = metric(goal.metric)
    scale = Scale(known.share, known.direction, anchor(shared))
    related: tuple[TaskRecord, ...] = ()
    if section.history == "on":
        related = History.open(store, section.tenant).related(shop.task.value)
    earlier = portfolio(space, related, features, OPENING, shop.task.value, scale.share)
    by_formula = formula_first(space)
    soft = soft_start(space) if _generous(depth.limit) else []
    rules = Rules(arms=section.sources) if section.sources else Rules()
    if depth.own is not None:
        # The whole run afterwards begins anew: only what values alone are worth is of use to it.
        rules = replace(rules, arms=tuple(arm for arm in rules.arms if arm != "clone"))
    problem = Problem(
        space=space,
        scale=scale,
        rows=len(shared.halves.first),
        past=related,
        features=features,
        portfolio=[*by_formula, *earlier],
        relative_cost=costs.relative,
        misfit=costs.misfit(_limits(goal)),
        violation=goal.conditions,
        seed=shop.recipe.train.seed,
        kind=shop.task.value,
        opening=[*by_formula, *opening_of(space, earlier), *soft],
        unhurried=soft,
        rules=rules,
    )
    _keep_study(shop, record, store, problem, goal.metric)
    return Search(shared, goal, problem, log, depth.limit, started, depth.own)


def _generous(limit: Limit) -> bool:
    """Whether a time was given, or far more runs than usual: such a budget is spent."""
    return limit.seconds is not None or limit.in_runs(1.0) >= ASKED_FOR


def _demand_default(default: Trial) -> None:
    """Passes when the recipe as it stands could be trained: it is what all others are held to."""
    if default.curve and default.status not in ("diverged", "failed"):
        return
    place = f"trial {default.id}, the recipe as it stands"
    if default.status == "diverged":
        raise LowerLearningRate(place, default.reason, advice="lower train.learning_rate")
    raise CheckRun(place, f"it could not be trained: {default.reason}",
                   advice="look into the workers' memory and disk, then resume")  # fmt: skip


def _finals(search: Search, controller: Controller, seeds: int) -> Finals:
    def may_go_on() -> bool:
        return controller.spent + search.limit.share(controller.costs.whole_seconds, 1, 1.0) <= 1

    return Finals(
        search.problem, controller.executor, search.log, _confirm(search), may_go_on, seeds
    )


def _confirm(search: Search) -> Callable[[Trial], Observation]:
    """Measures a finished trial on the rows that chose nothing."""
    return lambda trial: search.shared.confirm(_piece(trial))


def _piece(trial: Trial) -> Slice:
    return Slice(trial.id, trial.config, trial.unit, trial.seed, trial.parent)


def _section(shop: Workshop) -> Tune:
    section = shop.recipe.tune
    if section is None:
        raise FixRecipe("tune", "the recipe has no such section", advice="add `tune: {}`")
    return section


def _limits(goal: Goal) -> dict[str, float]:
    """Conditions that can be judged before a trial starts."""
    early = ("memory_mb", "train_seconds")
    return {
        c.measure: c.limit for c in goal.conditions.constraints if c.measure in early and c.at_most
    }


def _keep_study(
    shop: Workshop, record: RunRecord, store: Store, problem: Problem, wanted: str
) -> None:
    section, scale = _section(shop), problem.scale
    store.studies.put(
        StudyRow(
            record.id,
            section.tenant,
            section.private,
            problem.kind,
            family_of(shop),
            shop.base.hash,
            wanted,
            scale.share,
            scale.direction,
            scale.anchor,
            problem.rows,
            dict(problem.features),
            {
                "recipe": hash_value(shop.recipe.model_dump(mode="json")),
                SPACE: json.dumps(space_to_list(problem.space)),
            },
        )
    )
