"""What a private run can be expected to reach, said before it begins; refused if it is nothing."""

from __future__ import annotations

import math
from pathlib import Path

from luthier.core.errors import FixData, FixRecipe
from luthier.privacy.accountant import calibrate
from luthier.privacy.charge import SAMPLED, Charge
from luthier.privacy.ledger import Allowance, Ledger, ledger_path
from luthier.privacy.outlook import LARGEST_EPSILON, MOST_LOST, Outlook, Shape, better, outlook
from luthier.recipe.recipe import Recipe
from luthier.recipe.safety.privacy import Privacy
from luthier.stages.prepare import Prepared

PLACE = "safety.privacy"


def outlook_notes(recipe: Recipe, prepared: Prepared, steps: int, numbers: int) -> tuple[str, ...]:
    """Sentences for a plan; none without `safety.privacy`. `numbers` are trained.

    Raises: FixRecipe for a setting that means nothing, unless `force` is set where that helps;
    FixData for fewer units than a batch.
    """
    section = recipe.safety.privacy if recipe.safety is not None else None
    if section is None:
        return ()
    classes = max(2, len(prepared.facts.labels.names))
    units = units_in(recipe, prepared)
    shape = Shape(units, recipe.train.batch_size, steps, numbers, classes)
    delta = delta_for(section, shape.units)
    _refuse(section, shape)
    noise = calibrate(section.epsilon, delta, shape.batch / shape.units, shape.steps)
    found = outlook(noise, shape)
    if found.low > MOST_LOST and not section.force:
        raise _drowned(section, shape, found)
    return _sentences(section, delta, shape, found)


def spending_notes(recipe: Recipe, prepared: Prepared, steps: int, home: Path) -> tuple[str, ...]:
    """Sentences for a plan of `steps` updates; none without `safety.privacy`, or on a data set that
    has spent nothing and has no budget. `home` is the folder of the runs.

    Raises: FixRecipe when the budget of the data set does not suffice, as the run would;
    RepairStore for a ledger that was changed.
    """
    section = recipe.safety.privacy if recipe.safety is not None else None
    if section is None:
        return ()
    units = units_in(recipe, prepared)
    delta = delta_for(section, units)
    ledger = Ledger.known(ledger_path(home, prepared.fingerprint), prepared.fingerprint)
    most = section.dataset_budget
    ends = f"; safety.privacy.dataset_budget allows {most:g}" if most is not None else ""
    if ledger is None or not (ledger.charges() or ledger.plans()):
        return (f"privacy: this data set has spent nothing yet{ends}",) if ends else ()
    rate = recipe.train.batch_size / units
    wanted = Charge(
        "this run", SAMPLED, calibrate(section.epsilon, delta, rate, steps), rate, steps
    )
    allowance = None if most is None else Allowance(most, delta)
    before, after = ledger.spent(delta), ledger.foretold(wanted, delta, allowance)
    runs = len({charge.run for charge in ledger.charges()} | set(ledger.plans()))
    return (
        f"privacy: {runs} earlier run{'s' * (runs > 1)} spent epsilon {before:.2f} of this data "
        f"set at delta {delta:g}; with what others hold and this run it will be {after:.2f}{ends}",
    )


def units_in(recipe: Recipe, prepared: Prepared) -> int:
    """How many units the training rows hold: rows, or different values of the column."""
    assert recipe.safety is not None and recipe.safety.privacy is not None
    rows = prepared.splits.train
    if recipe.safety.privacy.unit == "example":
        return len(rows)
    values = prepared.table.column("group")
    return len({values[int(row)] for row in rows})


def delta_for(section: Privacy, units: int) -> float:
    """The delta of a recipe, or below a tenth of one in the number of units, and 1e-5 at most.

    Raises: FixRecipe for one that lets a whole unit out.
    """
    if section.delta == "auto":
        wanted = min(1e-5, 0.1 / units)
        return float(f"{10 ** math.floor(math.log10(wanted)):.0e}") if wanted < 1e-5 else 1e-5
    if section.delta >= 1 / units:
        raise FixRecipe(
            f"{PLACE}.delta",
            f"it is {section.delta:g}: with {units} units, one of them may be told outright",
            f"below {1 / units:.1g}",
            "leave it at auto",
        )
    return section.delta


def _refuse(section: Privacy, shape: Shape) -> None:
    if shape.batch > shape.units:
        raise FixData(
            f"{PLACE}.batch_size",
            f"{shape.batch} units per update, and the training rows hold {shape.units}",
            f"at most {shape.units}",
            "leave it at auto",
        )
    if section.epsilon > LARGEST_EPSILON and not section.force:
        raise FixRecipe(
            f"{PLACE}.epsilon",
            f"{section.epsilon:g} promises nothing: the odds may change by a factor of "
            f"10^{section.epsilon / math.log(10):.0f}",
            f"at most {LARGEST_EPSILON:g}",
            "take 8 or below, or train without privacy and audit the run; force: true goes on",
        )


def _drowned(section: Privacy, shape: Shape, found: Outlook) -> FixRecipe:
    return FixRecipe(
        PLACE,
        f"the noise drowns the signal: with {shape.units:,} units and epsilon "
        f"{section.epsilon:g} about {found.lost:.0%} of what training brings would be lost",
        f"an expected loss of at most {MOST_LOST:.0%}",
        f"train fewer numbers than {shape.numbers:,} (adapter.kind: none trains the output layer "
        "alone), take a larger epsilon or more rows; force: true goes on",
    )


def _sentences(section: Privacy, delta: float, shape: Shape, found: Outlook) -> tuple[str, ...]:
    whom = "row" if section.unit == "example" else f"value of {section.column}"
    told = [
        f"privacy: epsilon {section.epsilon:g} at delta {delta:g} for each {whom}; noise of "
        f"{found.noise:.3g} times the clipping bound, in one update {found.one_update:.2g} times "
        "the largest possible signal",
        f"privacy is expected to cost {found.lost:.0%} of what training brings above guessing, "
        f"between {found.low:.0%} and {found.high:.0%} (nine of ten recorded trainings of output "
        "layers lay as near; for adapters it is a cautious guess)",
    ]
    other = better(section.epsilon, delta, shape)
    if other is not None:
        told.append(
            f"less noise at the same number of passes: safety.privacy.batch_size={other.batch} "
            f"({other.steps} updates)"
        )
    return tuple(told)
