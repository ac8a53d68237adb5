"""A search of the run store as a study that other tools can be given."""

from __future__ import annotations

import json
from dataclasses import replace

from luthier.core.errors import CheckRun
from luthier.search.bridges.optuna import Study
from luthier.search.bridges.plain import space_from_list
from luthier.search.history.log import StoredLog
from luthier.search.history.past import record_of
from luthier.store.store import Store

SPACE = "space"
"""The fact under which a search keeps its space."""


def stored_study(store: Store, run: str) -> Study:
    """The search of a run, with all of its trials.

    Raises: CheckRun when there is no such run or it searched nothing.
    """
    record = store.find(run)
    row = store.studies.find(record.id)
    if row is None or SPACE not in row.facts:
        raise CheckRun(f"run {record.id}", "it searched nothing",
                       "a run of luthier tune, or with a `tune:` section")  # fmt: skip
    about = record_of(store, row)
    facts = {name: fact for name, fact in about.facts.items() if name != SPACE}
    log = StoredLog(store, record.id, record.path / "search" / "rows")
    space = space_from_list(json.loads(row.facts[SPACE]))
    return Study(replace(about, facts=facts), space, log.trials())
