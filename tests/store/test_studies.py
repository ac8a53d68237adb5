"""Searches in the store: kept, read back, apart by tenant, gone with their run."""

from __future__ import annotations

import math

import pytest

from luthier.core.errors import CheckRun
from luthier.store.store import Store
from luthier.store.studies import PointRow, StudyRow, TrialRow


def _study(run: str, tenant: str = "", private: bool = False) -> StudyRow:
    return StudyRow(
        run, tenant, private, "classify", "tickets", "base", "accuracy", True, "higher", 0.8, 120,
        {"log_rows": 6.2}, {"space": "abc"},
    )  # fmt: skip


def _run(store: Store) -> str:
    return store.create("a", "classify", {}, {}).id


def test_a_study_comes_back_whole(store: Store) -> None:
    run = _run(store)
    store.studies.put(_study(run))
    trials = [TrialRow("t001", 1, "prior", {"adapter.rank": 8}), TrialRow("t000", 0, "default", {})]
    for trial in trials:
        store.studies.put_trial(run, trial)
    points = [PointRow("t000", 4, 0.7, 0.5, math.nan, 3.5, {"ece": 0.1}),
              PointRow("t000", 1, 0.6, 0.9, 1.1, 1.0)]  # fmt: skip
    store.studies.put_points(run, points)
    store.studies.put_decision(run, 1, {"arm": "prior"})
    store.studies.put_decision(run, 0, {"arm": "default"})
    assert store.studies.find(run) == _study(run)
    assert [t.trial for t in store.studies.trials(run)] == ["t000", "t001"]
    found = store.studies.points(run)
    assert [p.unit for p in found] == [1, 4] and math.isnan(found[1].train_loss)
    assert [d["arm"] for d in store.studies.decisions(run)] == ["default", "prior"]


def test_a_new_status_replaces_the_old(store: Store) -> None:
    run = _run(store)
    store.studies.put_trial(run, TrialRow("t000", 0, "default", {}))
    store.studies.put_trial(run, TrialRow("t000", 0, "default", {}, status="frozen", reason="slow"))
    (trial,) = store.studies.trials(run)
    assert (trial.status, trial.reason) == ("frozen", "slow")


def test_tenants_and_private_studies_stay_apart(store: Store) -> None:
    first, second, third = _run(store), _run(store), _run(store)
    store.studies.put(_study(first, "ward"))
    store.studies.put(_study(second, "bank"))
    store.studies.put(_study(third, "ward", private=True))
    assert [s.run for s in store.studies.all("ward")] == [first]
    assert [s.run for s in store.studies.all("bank")] == [second]
    assert store.studies.all("") == []


def test_a_deleted_run_takes_its_study_along(store: Store) -> None:
    run = _run(store)
    store.studies.put(_study(run))
    store.studies.put_trial(run, TrialRow("t000", 0, "default", {}))
    store.delete(run)
    assert store.studies.find(run) is None and store.studies.trials(run) == []


def test_an_unknown_run_is_refused(store: Store) -> None:
    with pytest.raises(CheckRun, match="holds no run"):
        store.studies.put(_study("20200101-000000"))
