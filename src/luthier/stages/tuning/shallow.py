"""A search on the upper layers where the budget bears no whole run, and the whole run after it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from luthier.core.errors import LowerLearningRate
from luthier.core.progress import Progress
from luthier.search.budget import Limit
from luthier.search.choosing.final import Candidate, Choice, choose
from luthier.search.models.values import own_noise
from luthier.search.parameter import Choice as Options
from luthier.search.problem import Problem
from luthier.search.space import Space
from luthier.search.trial import (
    DECISIONS,
    UNITS,
    Observation,
    Slice,
    Trial,
    Value,
    next_look,
)
from luthier.stages.tuning.configured import DEPTH, adapted_layers
from luthier.stages.tuning.costs import TrialCosts
from luthier.stages.tuning.telling.story import Story, Told, advice_of

TOP = "third"
"""How much of the layers is adapted while searching; the prefix below is kept for all trials."""

WHOLE = "whole"
"""The trial that trains the recipe's own layers with what the search found."""

ENOUGH = 3.0
"""Runs that a search must bear: the recipe's own and two beside it. With fewer, the last of the
budget goes to trials that none of it is left to finish."""


@dataclass(frozen=True)
class Depth:
    """`space` is what is searched within `limit`; `own` the recipe's depth where the search has
    another; `said` what the user is told about it."""

    space: Space
    limit: Limit
    own: Value | None = None
    said: str = ""


def depth_of(space: Space, limit: Limit, costs: TrialCosts, begun: Sequence[Trial]) -> Depth:
    """The space, with its depth lowered where the budget bears too few whole runs but some of the
    upper layers.

    A search that began already (`begun`) keeps the depth it has, whatever is expected now.

    Raises: LowerMemory when the recipe itself does not fit.
    """
    whole = costs.estimate(space.default).seconds
    why = limit.too_small(whole) or ""
    upper = _upper(space, costs)
    if upper is None:
        return Depth(space, limit, said=why)
    part = costs.estimate(upper.default).seconds
    left = limit.without(whole)
    lower = limit.too_small(ENOUGH * whole, ENOUGH) is not None
    if begun:
        lower = begun[0].config[DEPTH] == TOP
    for bound in (left, limit):
        fits = bound is not None and not bound.too_small(ENOUGH * part, ENOUGH * part / whole)
        if bound is not None and lower and (fits or begun):
            return Depth(upper, bound, space.default[DEPTH], _told(costs, whole, part, limit))
    return Depth(space, limit, said=why)


def _told(costs: TrialCosts, whole: float, part: float, limit: Limit) -> str:
    layers = adapted_layers(TOP, costs.shared.shop.network.stack.layers)
    return (
        f"one run of the recipe is expected to take {whole / 60:.1f} minutes, too long to try "
        f"several in {limit}: the search adapts the top {layers} layers "
        f"({part / 60:.1f} minutes a run), then the recipe is trained once with what was found"
    )


def _upper(space: Space, costs: TrialCosts) -> Space | None:
    """The space with the upper layers only; None where the recipe has no more than these."""
    usual = next((p for p in space.parameters if p.name == DEPTH), None)
    section = costs.shared.shop.recipe.tune
    if usual is None or (section is not None and DEPTH in section.space):
        return None
    layers = costs.shared.shop.network.stack.layers
    own = adapted_layers(str(usual.default), layers) or layers
    if own <= (adapted_layers(TOP, layers) or layers):
        return None
    only = Options(DEPTH, (TOP,), (1.0,), TOP)
    return Space(tuple(only if p is usual else p for p in space.parameters))


def train_whole(
    advance: Callable[[Slice], Observation], choice: Choice, own: Value, progress: Progress
) -> Trial:
    """The recipe's own layers trained to their end with the configuration that was chosen.

    Advanced in the slices of a trial, so that a run that is cut off goes on. Where what was chosen
    diverges at this depth, the recipe as it stands is trained.

    Raises: LowerLearningRate when that diverges too.
    """
    for group in (choice.winner, choice.default):
        name = WHOLE if group is choice.winner else f"{WHOLE}-{group.name}"
        trial = Trial(name, {**group.trials[0].config, DEPTH: own}, WHOLE)
        progress.start(f"training the recipe with the values of {group.name}", len(DECISIONS), "")
        try:
            while trial.unit < UNITS:
                unit = next_look(trial.unit)
                trial.curve.append(advance(Slice(trial.id, trial.config, unit)))
                progress.advance()
        except LowerLearningRate as error:
            if group.name == choice.default.name:
                raise
            progress.say(f"with the values of {group.name} it diverges: {error}")
            continue
        progress.advance(len(DECISIONS) - len(trial.curve))
        trial.status = "finished"
        return trial
    raise AssertionError("the default is among them")


def chosen(
    problem: Problem, whole: Trial, upper: Candidate, confirm: Callable[[Trial], Observation]
) -> Choice:
    """The whole run, unless what the search trained on the upper layers is surely better.

    Where only one of them meets the conditions, it is that one.
    """
    last = whole.curve[-1]
    error = own_noise(problem.scale, last.score, problem.rows)
    belief = float(problem.scale.relative([last.score])[0])
    own = Candidate((whole,), (confirm(whole),), belief, error, whole.cost)
    if problem.violation(last) > 0 >= problem.violation(upper.trials[0].curve[-1]):
        return replace(choose([], upper), why="the whole run does not meet the conditions")
    found = choose([upper], own)
    if found.is_default:
        return replace(found, why="its values were used to train the recipe's own layers")
    return replace(found, why=f"the upper layers alone are better than the whole run: {found.why}")


def with_whole(story: Story, whole: Trial, first: Choice, last: Choice) -> Story:
    """The story with its last chapter."""
    return replace(
        story,
        trials=(*story.trials, Told.of(whole)),
        winner=last.winner.name,
        why=f"{first.why}; {last.why}",
        one_run=round(whole.cost, 2),
        winner_score=last.winner.trials[0].curve[-1].score,
        advice=advice_of(first, story.metric, whole.cost, story.cost),
    )
