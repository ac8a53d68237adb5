"""What a data set has spent of its privacy, for people and programs."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from luthier.core.errors import CheckRun
from luthier.core.progress import Progress
from luthier.privacy.accountant import check_delta
from luthier.privacy.charge import Charge, held, merged
from luthier.privacy.checked import checked
from luthier.privacy.ledger import Ledger, ledger_path
from luthier.recipe.load import load_recipe
from luthier.stages.prepare import prepare
from luthier.stages.safety.proof import delta_of
from luthier.store.store import Store

USUAL_DELTA = 1e-6


def budget(
    named: str, delta: float | None, release: str | None, store: Store, progress: Progress
) -> Any:
    """What was charged to the data set of a run or of a recipe's file, run by run, at `delta`;
    left out, at the smallest that a run on it promised.

    `release` names a run that will not go on: what it held and was not charged is free again.

    Raises: CheckRun for an unknown run or one that holds nothing; RepairStore for a ledger that
    was changed; FixRecipe for a delta that is no chance.
    """
    if delta is not None:
        check_delta(delta)
    dataset = _dataset(named, store, progress)
    path = ledger_path(store.folder, dataset)
    ledger = Ledger.known(path, dataset)
    if release is not None:
        if ledger is None or release not in ledger.plans():
            raise CheckRun(release, "it holds nothing of this data set's budget")
        ledger.close(release)
    charges = ledger.charges() if ledger else []
    plans = ledger.plans() if ledger else {}
    delta = _promised({c.run for c in charges}, store) if delta is None else delta
    return {
        "dataset": dataset,
        "ledger": str(path),
        "delta": delta,
        "epsilon": checked(merged(charges), delta),
        "runs": _by_run(charges, plans, delta),
    }


def _promised(runs: set[str], store: Store) -> float:
    """The smallest delta of these runs, or a usual one where none of them ended."""
    known = (delta_of(record) for record in store.list() if record.id in runs)
    return min((delta for delta in known if delta is not None), default=USUAL_DELTA)


def _dataset(named: str, store: Store, progress: Progress) -> str:
    path = Path(named)
    if path.suffix in (".yaml", ".yml") and path.is_file():
        recipe = load_recipe(path)
        with tempfile.TemporaryDirectory() as temporary:
            return prepare(recipe, path.resolve().parent, Path(temporary), progress).fingerprint
    record = store.find(named)
    known = record.facts.get("data_hash")
    if known is None:
        raise CheckRun(f"run {record.id}", "it ended before its data were read")
    return str(known)


def _by_run(charges: list[Charge], plans: dict[str, Charge], delta: float) -> list[dict[str, Any]]:
    waiting = {c.run: c.steps for c in held(charges, list(plans.values()))}
    found = []
    for run in dict.fromkeys([*(c.run for c in charges), *waiting]):
        own = [c for c in charges if c.run == run]
        found.append(
            {
                "run": run,
                "steps": sum(c.steps for c in own),
                "epsilon": checked(merged(own), delta),
                "held": waiting.get(run, 0),
            }
        )
    return found
