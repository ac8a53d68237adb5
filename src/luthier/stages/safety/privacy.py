"""`safety.privacy:` turned into batches, a gradient rule, charges and an audit."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from luthier.data.feed.batches import EpochBatches
from luthier.data.feed.poisson import PoissonBatches
from luthier.models.network import Network
from luthier.privacy.accountant import calibrate
from luthier.privacy.charge import SAMPLED, Charge, merged
from luthier.privacy.checked import checked
from luthier.privacy.ledger import Allowance, Ledger, ledger_path
from luthier.recipe.safety.privacy import Privacy
from luthier.stages.safety.outlook import delta_for
from luthier.stages.workshop import Workshop
from luthier.train.gradients.private import PrivateGradient
from luthier.train.private.audit import Canaries
from luthier.train.private.chance import Chance
from luthier.train.private.mechanism import Mechanism
from luthier.train.sharded import fill
from luthier.train.state import TrainingState
from luthier.train.watcher import Report
from luthier.train.world import World


@dataclass
class Private:
    """A private training that may begin: nothing was charged yet.

    As a watcher it ends with the verdict of the audit, and raises where the mechanism is broken.
    """

    batches: PoissonBatches
    rule: PrivateGradient
    section: Privacy
    delta: float
    ledger: Ledger | None
    run: str
    steps: int
    first: Callable[[], None] = lambda: None
    """Puts into the output layer what no training row decides, before the first update."""

    @property
    def noise(self) -> float:
        """The noise multiplier."""
        return self.rule.mechanism.noise

    def begin(self, state: TrainingState) -> None:
        """Holds what the rest of the run will spend; a new output layer begins at zero and then at
        what `first` puts there, since a fitted one would tell of the training rows.

        Raises: FixRecipe when the budget of the data set does not suffice.
        """
        if state.step == 0:
            _begin_at_zero(state.network)
            self.first()
        if self.ledger is None or self.section.dataset_budget is None:
            return
        done = sum(c.steps for c in self.ledger.charges() if c.run == self.run)
        steps = done + self.steps - state.step
        plan = Charge(self.run, SAMPLED, self.noise, self.batches.rate, steps)
        self.ledger.plan(plan, Allowance(self.section.dataset_budget, self.delta))

    def after(self, state: TrainingState, report: Report) -> None:
        """Nothing: the charge was made before the update."""

    def end(self, state: TrainingState) -> None:
        """Nothing to tidy; an interrupted run still holds what it planned."""

    def told(self) -> dict[str, Any]:
        """What a report says about it, when training is over.

        Raises: CheckRun when the audit found the mechanism broken, or two accountants differ.
        """
        found: dict[str, Any] = {
            "epsilon": math.nan,
            "delta": self.delta,
            "unit": self.section.column or self.section.unit,
            "noise": self.noise,
            "rate": self.batches.rate,
            "steps": self.steps,
            "clipping": self.rule.mechanism.clipping,
            "units": self.batches.units,
            "batch_size": self.batches.expected,
        }
        canaries = self.rule.canaries
        if canaries is not None and canaries.observed and self.rule.world.first:
            verdict = canaries.verdict()
            verdict.demand()
            found["mechanism_audit"] = verdict.as_dict() | {"words": _words(verdict.as_dict())}
        if self.ledger is not None:
            charges = [c for c in self.ledger.charges() if c.run == self.run]
            found["epsilon"] = checked(merged(charges), self.delta)
            found["steps"] = sum(c.steps for c in charges)
            found["dataset_epsilon"] = checked(merged(self.ledger.charges()), self.delta)
            self.ledger.close(self.run)
            found["ledger_tip"] = self.ledger.tip()
        return found


def set_up_privacy(
    shop: Workshop, source: EpochBatches, train_part: NDArray[np.int64]
) -> Private | None:
    """The private training a recipe asks for; None without `safety.privacy`.

    Raises: FixRecipe for a setting that promises nothing, FixData for a
    batch larger than the data, RepairStore for a ledger that was changed.
    """
    section = shop.recipe.safety.privacy if shop.recipe.safety is not None else None
    if section is None:
        return None
    world = World.join()
    chance = Chance(world)
    unit_of = units_of(shop, section)
    units = unit_of[shop.encoded.rows[train_part]]
    share = (world.rank, world.size)
    batches = PoissonBatches(source, train_part, units, chance.draw, share)
    delta = delta_for(section, batches.units)
    steps = shop.timing.steps
    noise = calibrate(section.epsilon, delta, batches.rate, steps)
    mechanism = Mechanism(
        noise,
        float(batches.expected),
        section.clip_norm if section.clipping == "flat" else 1.0,
        section.clipping,
    )
    run, dataset = shop.folder.name, shop.prepared.fingerprint
    ledger = None
    if world.first:
        # The folder of a run lies in the folder of the runs, in that of the store.
        ledger = Ledger.open(ledger_path(shop.folder.parent.parent, dataset), dataset)
    charge = _Charging(world, ledger, Charge(run, SAMPLED, noise, batches.rate, 1))
    rule = PrivateGradient(
        mechanism,
        chance.noise,
        charge,
        unit_of,
        Canaries(mechanism) if section.audit else None,
        shop.device,
        world,
    )
    return Private(batches, rule, section, delta, ledger, run, steps)


@dataclass(frozen=True)
class _Charging:
    """Charges one step, and returns in every process when it is on disk."""

    world: World
    ledger: Ledger | None
    step: Charge

    def __call__(self) -> None:
        """Raises: FixRecipe when the budget is spent; RepairStore; FreeDisk."""
        place = self.ledger.path if self.ledger is not None else Path("the ledger of the data set")
        self.world.write(place, self._write)

    def _write(self) -> None:
        assert self.ledger is not None
        self.ledger.charge(self.step)


def units_of(shop: Workshop, section: Privacy) -> NDArray[np.int64]:
    """The unit of each row of the table: the row itself, or its value of the column."""
    table = shop.prepared.table
    if section.unit == "example":
        return np.arange(len(table))
    known: dict[Any, int] = {}
    values = table.column("group")
    return np.array([known.setdefault(value, len(known)) for value in values], np.int64)


def _begin_at_zero(network: Network) -> None:
    output = network.output
    if not isinstance(output, nn.Linear):
        return
    for parameter in output.parameters():
        fill(parameter, torch.zeros_like(parameter), World.join())


def _words(verdict: dict[str, Any]) -> str:
    return (
        f"{verdict['canaries']:,} planted gradients over {verdict['steps']:,} updates came out as "
        f"the declared mechanism gives them ({verdict['tests']} tests, smallest chance "
        f"{verdict['smallest_chance']:.2g}; a sound mechanism fails one time in "
        f"{round(1 / verdict['false_alarms'])})"
    )
