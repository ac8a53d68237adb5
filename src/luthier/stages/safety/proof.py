"""What is proved about a run, from the ledger of its data set."""

from __future__ import annotations

import json
from dataclasses import dataclass

from luthier.privacy.charge import merged
from luthier.privacy.checked import checked
from luthier.privacy.ledger import Ledger, ledger_path
from luthier.store.store import RunRecord, Store


@dataclass(frozen=True)
class Proof:
    """The run's epsilon at `delta`, that of all runs on its data, for whom it holds, and the hash
    of the ledger's newest entry."""

    epsilon: float
    delta: float
    unit: str
    dataset_epsilon: float
    ledger_tip: str


def proof_of(record: RunRecord, store: Store) -> Proof | None:
    """None for a run that was not private.

    Raises: RepairStore for a ledger that was changed; CheckRun when two accountants disagree.
    """
    section = ((record.recipe.get("safety") or {}).get("privacy")) or None
    dataset = record.facts.get("data_hash")
    if section is None or dataset is None:
        return None
    path = ledger_path(store.folder, str(dataset))
    ledger = Ledger.open(path, str(dataset))
    charges = ledger.charges()
    own = [c for c in charges if c.run == record.id]
    delta = delta_of(record)
    if not own or delta is None:
        return None
    return Proof(
        checked(merged(own), delta),
        delta,
        str(section.get("column") or section.get("unit", "example")),
        checked(merged(charges), delta),
        ledger.tip(),
    )


def delta_of(record: RunRecord) -> float | None:
    """The delta that a run promised; None where it promised nothing or did not end."""
    file = record.path / "safety.json"
    if not file.is_file():
        return None
    told = json.loads(file.read_text(encoding="utf-8")).get("privacy") or {}
    return float(told["delta"]) if "delta" in told else None
