"""A search in the store: nothing is lost by a kill, and nothing damaged or foreign is read."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_search import Training, controller, shown, stored

from luthier.core.errors import CheckRun, RepairStore
from luthier.search.history.log import StoredLog
from luthier.search.history.past import (
    FORMAT,
    History,
    record_from_dict,
    record_of,
    record_to_dict,
)
from luthier.search.problem import Rules
from luthier.search.trial import Trial
from luthier.store.studies import PointRow, StudyRow

HERE = Path(__file__).parent


def _search(folder: Path, budget: str = "2x one run") -> tuple[StoredLog, list[Trial], str]:
    log, _, run = stored(folder)
    return log, controller(Training(), budget, log).run(), run


def test_what_is_read_again_is_what_was_seen(tmp_path: Path) -> None:
    _, trials, run = _search(tmp_path)
    again = stored(tmp_path, run)[0]
    assert shown(again.trials()) == shown(trials)
    for mine, theirs in zip(again.trials(), trials, strict=True):
        assert (mine.status, mine.reason, mine.parent) == (
            theirs.status, theirs.reason, theirs.parent,
        )  # fmt: skip
        for one, other in zip(mine.curve, theirs.curve, strict=True):
            assert one.as_dict() == other.as_dict()
            assert np.array_equal(one.losses, other.losses)
            assert np.array_equal(one.right, other.right)
    decisions = again.decisions()
    assert [d.number for d in decisions] == list(range(len(decisions)))
    assert all(0 < d.propensity <= 1 for d in decisions)


@pytest.mark.parametrize("slices", [2, 6, 9])
def test_a_kill_during_a_slice_loses_that_slice_only(slices: int, tmp_path: Path) -> None:
    run = stored(tmp_path)[2]
    child = subprocess.run(
        [sys.executable, str(HERE / "made_search.py"), str(tmp_path), run, str(slices)],
        env=os.environ | {"OMP_NUM_THREADS": "1"}, timeout=120, check=False,
    )  # fmt: skip
    assert child.returncode == -signal.SIGKILL
    log = stored(tmp_path, run)[0]
    left = log.trials()
    assert sum(len(t.curve) for t in left) == slices
    work = Training(units={t.id: t.unit for t in left})
    found = controller(work, log=log)
    trials = found.run()
    assert [t.id for t in trials][: len(left)] == [t.id for t in left]
    under_way = left[-1]
    assert work.calls[0].until > 0 and work.calls[0].trial in {t.id for t in left}
    assert any(p.trial == under_way.id for p in work.calls) or under_way.unit >= Rules().first
    for trial in trials:
        units = [o.unit for o in trial.curve]
        assert units == sorted(set(units))
    assert trials[0].status == "finished"
    # What was spent before the kill counts.
    assert work.clock + sum(t.unit for t in left) <= 8 * 16 + 8


def test_time_that_an_earlier_process_spent_is_gone(tmp_path: Path) -> None:
    log = stored(tmp_path)[0]
    first = Training()
    controller(first, "24s", log).run()
    second = Training(units={t.id: t.unit for t in log.trials()})
    controller(second, "24s", log).run()
    assert first.clock >= 16 and second.clock <= 8


def test_two_processes_on_one_search(tmp_path: Path) -> None:
    """The run belongs to the process that works on it; another one is refused while it lives."""
    _, store, run = stored(tmp_path)
    code = (
        "import sys; from pathlib import Path; from luthier.store.store import Store\n"
        "Store.open(folder=Path(sys.argv[1])).set_status(sys.argv[2], 'running')"
    )
    asked = [sys.executable, "-c", code, str(tmp_path), run]
    second = subprocess.run(asked, capture_output=True, text=True, timeout=120, check=False)
    assert second.returncode != 0 and "take it over" in second.stderr
    store.set_status(run, "interrupted")
    third = subprocess.run(asked, capture_output=True, text=True, timeout=120, check=False)
    assert third.returncode == 0, third.stderr


@pytest.mark.parametrize(
    "spoil",
    [{"score": float("nan")}, {"cost": -1.0}, {"cost": float("nan")}, {"unit": 17},
     {"loss": float("inf")}],
)  # fmt: skip
def test_a_damaged_curve_is_refused(spoil: dict[str, float], tmp_path: Path) -> None:
    log, store, run = stored(tmp_path)
    log.began(Trial("t000", {"rate_offset": 0.0}, "default"))
    good = PointRow("t000", 1, 0.5, 1.0, 1.0, 1.0)
    store.studies.put_points(run, [replace(good, **spoil)])
    with pytest.raises(CheckRun, match="curve is damaged"):
        log.trials()


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 cut off"])
def test_damaged_rows_are_refused(content: bytes, tmp_path: Path) -> None:
    log, trials, _ = _search(tmp_path, "1 trial")
    (tmp_path / "rows" / f"{trials[0].id}-4.npz").write_bytes(content)
    with pytest.raises(CheckRun, match=r"t000-4\.npz"):
        log.trials()


def test_a_finished_search_becomes_history_for_its_tenant_only(tmp_path: Path) -> None:
    log, trials, run = _search(tmp_path)
    store = stored(tmp_path, run)[1]
    study = store.studies.find(run)
    assert study is not None
    known = History.open(store, starter=False).related("classify")
    assert [r.id for r in known] == [run]
    record = known[0]
    curves = {t.id: [o.score for o in t.curve] for t in trials if t.parent is None and t.curve}
    assert len(record.trials) >= len(curves)
    assert [[p.score for p in t.curve] for t in record.trials if t.curve] == list(curves.values())
    assert History.open(store, "other", starter=False).records == ()
    store.studies.put(StudyRow(**{**vars(study), "private": True}))
    assert History.open(store, starter=False).records == ()
    assert log.trials()


def test_a_record_survives_its_file_and_another_format_is_refused(tmp_path: Path) -> None:
    _, _, run = _search(tmp_path, "1x one run")
    store = stored(tmp_path, run)[1]
    study = store.studies.find(run)
    assert study is not None
    content = record_to_dict(record_of(store, study))
    again = record_from_dict(content, "here")
    assert record_to_dict(again) == content
    for version in (FORMAT + 1, FORMAT - 1, None, str(FORMAT)):
        with pytest.raises(RepairStore, match="format"):
            record_from_dict(content | {"format": version}, "here")
