"""`safety.checks.harden`: what attacks find leads to training against it, kept when it pays."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from luthier.core.errors import FixRecipe
from luthier.core.progress import Progress
from luthier.core.seeds import derive
from luthier.core.types import Interval
from luthier.evaluate.interval import Comparison, paired
from luthier.evaluate.predictions import Predictions
from luthier.recipe.recipe import Recipe
from luthier.recipe.safety.adversarial import Adversarial
from luthier.recipe.safety.checks import Checks
from luthier.safety.outcome import without_rows
from luthier.stages.parts.answers import Exam, score_all, to_predictions
from luthier.stages.safety.attacking.checked import Targets, summaries, targets, unfit
from luthier.stages.safety.attacking.defences import fitting
from luthier.stages.training import Trained, train
from luthier.stages.workshop import Workshop, furnish
from luthier.store.artefacts import Artefacts
from luthier.train.world import World

PLACE = "safety.checks.harden"
DRAWS = 2000


@dataclass(frozen=True)
class Hardened:
    """The workshop and the training that a run goes on with."""

    shop: Workshop
    trained: Trained
    changed: bool = False


def refuse_hardening(shop: Workshop) -> None:
    """Raises: FixRecipe for a run that asks for hardening and cannot have it."""
    section = _section(shop)
    if section is None or not section.harden:
        return
    why = unfit(shop)
    if World.join().size > 1:
        why = why or "several processes train"
    if len(shop.prepared.splits.validation) == 0:
        why = why or "without validation rows nothing tells whether quality holds"
    if why:
        raise FixRecipe(PLACE, why, advice="leave it out")


def harden(shop: Workshop, trained: Trained, artefacts: Artefacts, progress: Progress) -> Hardened:
    """Attacks validation rows, trains again against what turned them, and attacks again.

    The second model is taken when its accuracy on the validation rows is, by the paired interval,
    at most `checks.margin` lower, and more attacked rows stay right beyond the interval over rows.
    The test rows play no part.

    Raises: every error of training.
    """
    section = _section(shop)
    if section is None or not section.harden:
        return Hardened(shop, trained)
    found = targets(shop, section, _exam(shop))
    before = summaries(shop, found, artefacts, progress)
    encoder = shop.base.kind == "encoder"
    defence = fitting(shop.recipe, before, section.margin, encoder)
    if defence is None:
        words = ["Nothing was hardened: no attack turned answers that a defence at hand undoes."]
        _tell(trained, {"accepted": False, "words": words})
        return Hardened(shop, trained)
    folder = shop.folder / "harden"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    recipe = _defended(shop.recipe, defence)
    second = furnish(recipe, shop.prepared, folder, artefacts, progress)
    retrained = train(second, progress)
    shutil.rmtree(folder, ignore_errors=True)
    if retrained.interrupted:
        return Hardened(shop, retrained)
    after = summaries(second, found, artefacts, progress)
    clean = _clean(shop, second)
    told = _told(found, before, after, clean, section.margin)
    parts: list[str] = [defence.kind] * (defence.kind != "none")
    parts += ["synonyms"] * defence.synonyms + ["spelling"] * defence.spelling
    told["defence"] = " and ".join(parts) or "canonicalise"
    told["seconds"] = [round(t.state.seconds, 2) for t in (trained, retrained)]
    told["words"] = _words(told, section.margin)
    retrained.safety = dict(trained.safety)
    kept = Hardened(replace(second, folder=shop.folder), retrained, True)
    chosen = kept if told["accepted"] else Hardened(shop, trained)
    _tell(chosen.trained, told)
    return chosen


def _defended(recipe: Recipe, defence: Adversarial) -> Recipe:
    assert recipe.safety is not None
    safety = recipe.safety.model_copy(update={"adversarial": defence})
    fast = recipe.fast.model_copy(update={"prefix_cache": "off", "pack": "off"})
    return recipe.model_copy(update={"safety": safety, "fast": fast})


def _clean(first: Workshop, second: Workshop) -> Comparison:
    old, new = (_answers(shop) for shop in (first, second))
    section = first.recipe.evaluate
    return paired(old, new, ["accuracy"], section.draws, section.seed)["accuracy"]


def _answers(shop: Workshop) -> Predictions:
    exam = _exam(shop)
    scores = score_all(shop.network, shop.head, exam)
    return to_predictions(shop.task, shop.head.labels, exam, scores)


def _told(
    found: Targets,
    before: Sequence[Mapping[str, Any]],
    after: Sequence[Mapping[str, Any]],
    clean: Comparison,
    margin: float,
) -> dict[str, Any]:
    gained = _gained(before, after, found.asked.seed)
    return {
        "accepted": clean.difference.low >= -margin and gained.low > 0,
        "rows": len(found.texts),
        "before": [without_rows(one) for one in before],
        "after": [without_rows(one) for one in after],
        "clean": clean.difference.told() | {"p_value": clean.p_value, "test": clean.test},
        "gained": gained.told(),
    }


def _gained(
    before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]], seed: int
) -> Interval:
    """Share of rows that stay right under attack, after minus before, mean over attacks.

    A row counts as one draw with all its attacks, as what turns it once often turns it again.
    """
    old, new = (np.mean([one["held"] for one in told], axis=0) for told in (before, after))
    apart = np.asarray(new - old)
    dice = np.random.default_rng(derive(seed, "hardening"))
    means = apart[dice.integers(0, len(apart), (DRAWS, len(apart)))].mean(axis=1)
    low, high = np.quantile(means, (0.025, 0.975))
    return Interval(float(apart.mean()), float(low), float(high))


def _words(told: Mapping[str, Any], margin: float) -> list[str]:
    clean, gained, (first, second) = told["clean"], told["gained"], told["seconds"]
    verdict = "The hardened model was kept." if told["accepted"] else "The first model was kept."
    return [
        f"Training again with {told['defence']!r} as the defence kept {100 * gained['value']:+.1f} "
        f"points of attacked validation rows right ({100 * gained['low']:+.1f} to "
        f"{100 * gained['high']:+.1f} over {told['rows']} rows), over all attacks"
        + (".", ", which may be luck.")[gained["low"] <= 0],
        f"Accuracy on clean validation rows moved by {100 * clean['value']:+.1f} points "
        f"({100 * clean['low']:+.1f} to {100 * clean['high']:+.1f}, {clean['test']}); at most "
        f"{100 * margin:g} may be lost. {verdict}",
        f"Training took {first:.1f} seconds at first and {second:.1f} with the defence.",
    ]


def _tell(trained: Trained, told: dict[str, Any]) -> None:
    trained.safety["robustness"] = {"harden": told}


def _exam(shop: Workshop) -> Exam:
    return shop.exam(shop.encoded, shop.part(shop.prepared.splits.validation))


def _section(shop: Workshop) -> Checks | None:
    return shop.recipe.safety.checks if shop.recipe.safety else None
