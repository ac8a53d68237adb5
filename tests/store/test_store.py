"""What a store does, on each engine."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from store_children import finish, start
from store_place import Place

from luthier.core.errors import CheckRun
from luthier.core.types import Interval
from luthier.store.store import CurvePoint, MetricRow, Store

New = Callable[[], str]


def test_a_new_run_is_running_and_has_a_folder(store: Store) -> None:
    recipe = {"train": {"rate": 1e-4, "names": ["ä", "\ud800", "\0"]}}
    run = store.create("tickets", "classify", recipe, {"seed": 13})
    assert re.fullmatch(r"\d{8}-[0-9a-f]{6}", run.id)
    assert (run.name, run.task, run.status, run.reason) == ("tickets", "classify", "running", "")
    assert run.path == store.folder / "runs" / run.id and run.path.is_dir()
    assert (run.recipe, run.facts, run.finished) == (recipe, {"seed": 13}, None)
    assert abs((datetime.now(UTC) - run.created).total_seconds()) < 60


def test_ids_are_unique_and_sorted_by_time(store: Store, new: New) -> None:
    ids = [new() for _ in range(12)]
    assert ids == sorted(set(ids))
    assert [run.id for run in store.list()] == ids[::-1]


def test_a_reopened_store_has_the_same_runs(place: Place) -> None:
    made = place.open().create("a", "tag", {"x": [1, 2.5, None]}, {})
    assert place.open().list() == [made]


def test_a_taken_folder_gives_another_id(
    store: Store, new: New, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = iter(["20260101-aaaaaa", "20260101-bbbbbb"])
    monkeypatch.setattr("luthier.store.store.id_at", lambda moment: next(ids))
    (store.folder / "runs" / "20260101-aaaaaa").mkdir()
    assert new() == "20260101-bbbbbb"


def test_a_taken_row_gives_another_id(
    store: Store, new: New, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = new()
    (store.folder / "runs" / first).rmdir()
    ids = iter([first, "20990101-bbbbbb"])
    monkeypatch.setattr("luthier.store.store.id_at", lambda moment: next(ids))
    assert new() == "20990101-bbbbbb"
    assert not (store.folder / "runs" / first).exists()


def test_find_by_id_prefix_last_and_path(
    store: Store, new: New, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, last = new(), new()
    monkeypatch.setattr("luthier.store.store.id_at", lambda moment: "19990101-abcdef")
    old = new()
    assert store.find(first).id == first
    assert store.find("1999").id == old
    assert store.find("last").id == old
    path = store.folder / "runs" / last
    assert store.find(str(path)).id == last
    monkeypatch.chdir(path.parent)
    assert store.find(f"./{last}/").id == last
    monkeypatch.chdir(path)
    assert store.find(".").id == last


def test_last_of_the_finished_runs_passes_over_one_that_still_trains(
    store: Store, new: New
) -> None:
    first = new()
    with pytest.raises(CheckRun, match="it is running"):
        store.finished("last")
    store.set_status(first, "finished")
    later = new()
    assert store.find("last").id == later
    assert store.finished("last").id == store.finished(first).id == first
    with pytest.raises(CheckRun, match=f"{later}.*it is running"):
        store.finished(later)


@pytest.mark.parametrize("name", ["20", "20261", "x", "nothing/such", "", "%", "____"])
def test_find_refuses_what_is_no_run(
    store: Store, new: New, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = iter(["20261125-7f3a2c", "20261125-7f3b00"])
    monkeypatch.setattr("luthier.store.store.id_at", lambda moment: next(ids))
    new(), new()
    with pytest.raises(CheckRun) as met:
        store.find(name)
    assert met.value.allowed and met.value.advice


def test_find_names_the_nearest(store: Store, new: New, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("luthier.store.store.id_at", lambda moment: "20261125-7f3a2c")
    new()
    with pytest.raises(CheckRun, match="try 20261125-7f3a2c"):
        store.find("20261125-7f3a2d")
    with pytest.raises(CheckRun, match="try 20261125-7f3a2c"):
        store.set_facts("20261125-7f3a2d", {})
    # A change needs the whole id, so that a slip cannot hit another run.
    with pytest.raises(CheckRun, match="try 20261125-7f3a2c"):
        store.delete("20261125")


def test_an_empty_store_says_so(store: Store) -> None:
    with pytest.raises(CheckRun, match="holds no run"):
        store.find("last")
    with pytest.raises(CheckRun):
        store.set_status("20261125-7f3a2c", "failed")
    assert store.list() == []


def test_status_changes_and_is_filtered(store: Store, new: New) -> None:
    runs = [new() for _ in range(4)]
    store.set_status(runs[0], "finished")
    store.set_status(runs[1], "failed", "disk \0 full \udcff")
    store.set_status(runs[2], "interrupted", "stopped")
    assert store.find(runs[1]).reason == "disk \\x00 full \\udcff"
    for status, run in zip(["finished", "failed", "interrupted", "running"], runs, strict=True):
        assert [r.id for r in store.list(status=status)] == [run]
        finished = store.find(run).finished
        assert (finished is None) == (status == "running")
    assert [r.id for r in store.list(limit=2)] == [runs[3], runs[2]]
    assert len(store.list(limit=None)) == 4
    store.set_status(runs[2], "running")
    again = store.find(runs[2])
    assert (again.status, again.reason, again.finished) == ("running", "", None)


def test_an_unknown_status_is_refused(store: Store, new: New) -> None:
    with pytest.raises(CheckRun, match="finished"):
        store.set_status(new(), "finishd")  # type: ignore[arg-type]
    with pytest.raises(CheckRun, match="interrupted"):
        store.list(status="stopped")


def test_facts_are_merged(store: Store, new: New) -> None:
    run = new()
    store.set_facts(run, {"data_hash": "ab", "seeds": {"train": 1}})
    store.set_facts(run, {"seeds": {"split": 2}, "loss": math.inf})
    assert store.find(run).facts == {
        "a": 1, "data_hash": "ab", "seeds": {"split": 2}, "loss": math.inf
    }  # fmt: skip
    with pytest.raises(TypeError):
        store.set_facts(run, {"a": object()})
    assert store.find(run).facts["a"] == 1


def test_metrics_with_and_without_interval(store: Store, new: New) -> None:
    run, other = new(), new()
    store.record_metrics(run, "test", "tuned", {"f1": Interval(0.8, 0.7, 0.9), "ece": 0.02})
    store.record_metrics(run, "test", "base", {"f1": math.nan, "x" * 300: 1})
    store.record_metrics(run, "test", "tuned", {"f1": Interval(0.9, math.nan, 0.95, 0.9)})
    store.record_metrics(other, "test", "tuned", {})
    rows = store.metrics(run)
    assert [(r.split, r.which, r.name) for r in rows] == [
        ("test", "base", "f1"),
        ("test", "base", "x" * 300),
        ("test", "tuned", "ece"),
        ("test", "tuned", "f1"),
    ]
    assert math.isnan(rows[0].value) and rows[0].level is None
    assert rows[2] == MetricRow("test", "tuned", "ece", 0.02, None, None, None)
    assert replace(rows[3], low=0.0) == MetricRow("test", "tuned", "f1", 0.9, 0.0, 0.95, 0.9)
    assert rows[3].low is not None and math.isnan(rows[3].low)
    assert store.metrics(other) == []


def test_a_curve_comes_back_whole(store: Store, new: New) -> None:
    run = new()
    points = [CurvePoint(s, s / 7, n, s * 0.1) for s in range(3000) for n in ("lr", "train_loss")]
    store.record_curve(run, points)
    assert store.curve(run) == points
    store.record_curve(run, [CurvePoint(1, 0.5, "lr", 1.0), CurvePoint(1, 0.6, "lr", math.inf)])
    changed = store.curve(run)
    assert len(changed) == len(points)
    assert changed[2] == CurvePoint(1, 0.6, "lr", math.inf)
    store.record_curve(run, [])
    assert store.curve(run) == changed


@pytest.mark.parametrize("method", ["metrics", "curve", "heartbeat", "delete"])
def test_unknown_runs_are_refused(store: Store, new: New, method: str) -> None:
    new()
    with pytest.raises(CheckRun):
        getattr(store, method)("20000101-000000")


def test_delete_removes_row_folder_and_lone_artefacts(
    place: Place, store: Store, new: New, tmp_path: Path
) -> None:
    run, other = new(), new()
    (store.folder / "runs" / run / "deep").mkdir()
    (store.folder / "runs" / run / "deep" / "file").write_text("x")
    keys = []
    for name in ("alone", "shared", "free"):
        (tmp_path / name).write_text(name)
        keys.append(store.artefacts.put_file(tmp_path / name))
    alone, shared, free = keys
    store.use(run, alone)
    store.use(run, shared)
    store.use(other, shared)
    store.record_metrics(run, "test", "base", {"f1": 0.5})
    store.delete(run)
    assert [r.id for r in store.list()] == [other]
    assert not (store.folder / "runs" / run).exists()
    with pytest.raises(CheckRun):
        store.artefacts.get(alone)
    assert store.artefacts.get(shared).read_text() == "shared"
    assert store.artefacts.get(free).read_text() == "free"
    with pytest.raises(CheckRun):
        store.use(other, alone)
    with pytest.raises(CheckRun):
        store.metrics(run)


def test_a_deletion_cut_short_is_finished_at_the_next_opening(
    place: Place, store: Store, new: New, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = new()
    (store.folder / "runs" / run / "file").write_text("x")

    def killed(path: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("luthier.store.store.shutil.rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            store.delete(run)
    assert store.list() == []
    assert (store.folder / "runs" / run / "file").exists()
    place.open()
    assert not (store.folder / "runs" / run).exists()


def test_a_run_whose_process_ended_is_interrupted(place: Place, store: Store) -> None:
    body = "print(store.create('a', 'tag', {}, {}).id)"
    run = finish(start(body, place.url, place.folder)).strip()
    found = store.find(run)
    assert found.status == "interrupted" and "ended" in found.reason
    assert found.finished is not None
    assert [r.id for r in store.list(status="interrupted")] == [run]
    assert store.list(status="running") == []
    store.set_status(run, "running")
    assert store.find(run).status == "running"
    store.delete(run)


def test_a_run_of_another_live_process_is_left_alone(place: Place, store: Store) -> None:
    body = "print(store.create('a', 'tag', {}, {}).id, flush=True)\nsys.stdin.read()"
    other = start(body, place.url, place.folder)
    try:
        assert other.stdout is not None
        run = other.stdout.readline().strip()
        assert store.find(run).status == "running"
        for refused in (
            lambda: store.delete(run),
            lambda: store.set_status(run, "running"),
            lambda: store.heartbeat(run),
        ):
            with pytest.raises(CheckRun, match=str(other.pid)):
                refused()
        assert store.find(run).path.is_dir()
        store.delete(run, force=True)
        assert store.list() == []
    finally:
        other.kill()
        other.communicate()


def test_a_number_given_out_again_does_not_revive_a_run(
    store: Store, new: New, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = new()
    monkeypatch.setattr("luthier.store.owner._began", lambda pid: "later")
    assert store.find(run).status == "interrupted"


def test_a_run_of_another_host_is_believed(
    store: Store, new: New, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = new()
    monkeypatch.setattr("luthier.store.owner.socket.gethostname", lambda: "elsewhere")
    monkeypatch.setattr("luthier.store.owner._began", lambda pid: None)
    assert store.find(run).status == "running"
    with pytest.raises(CheckRun, match="is running it"):
        store.delete(run)


def test_heartbeat_needs_a_running_run(store: Store, new: New) -> None:
    run = new()
    store.heartbeat(run)
    store.set_status(run, "finished")
    with pytest.raises(CheckRun, match="finished"):
        store.heartbeat(run)


def test_the_password_is_not_shown(store: Store) -> None:
    assert "s3cret" not in repr(store)
    assert str(store.folder) in repr(store)
