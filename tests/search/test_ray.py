"""Slices on a real Ray cluster of two workers."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from luthier.core.errors import CheckRun, FixData, FixRecipe, InstallExtra
from luthier.search.executors import cluster
from luthier.search.executors.cluster import Cluster, connect
from luthier.search.executors.ray import Ray, ray_executor, share
from luthier.search.trial import Slice

HERE = Path(__file__).parent


@pytest.fixture
def two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ray]:
    """Two workers that count."""
    pytest.importorskip("ray", reason="the extra `ray` is not installed")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(HERE), *sys.path]))
    made = ray_executor("ray_workers:counting", {"folder": str(tmp_path)}, 2)
    yield made
    made.close()


def wait_for(path: Path, seconds: float = 120) -> str:
    """The content of a file once it is there."""
    until = time.monotonic() + seconds
    while not (path.is_file() and path.read_text()):
        assert time.monotonic() < until, f"{path.name} never came"
        time.sleep(0.05)
    return path.read_text()


def piece(trial: str, until: int, rate: str = "1") -> Slice:
    """A slice of a trial."""
    return Slice(trial, {"rate": rate}, until)


@pytest.mark.slow
def test_a_killed_worker_loses_its_slice_and_no_trial(two: Ray, tmp_path: Path) -> None:
    for name in ("a", "b"):
        two.submit(piece(name, 1))
    first = {two.collect().trial for _ in range(2)}
    assert first == {"a", "b"}

    (tmp_path / "hold").touch()
    for name in ("a", "b"):
        two.submit(piece(name, 2))
    doomed = int(wait_for(tmp_path / "began-a-2"))
    spared = int(wait_for(tmp_path / "began-b-2"))
    assert doomed != spared, "both slices were given to one worker"
    os.kill(doomed, signal.SIGKILL)
    (tmp_path / "hold").unlink()
    seen = {o.trial: o for o in (two.collect(), two.collect())}
    assert seen["a"].observation is None and "worker died" in seen["a"].fault
    assert not seen["a"].diverged
    assert seen["b"].observation is not None

    two.submit(piece("a", 2))
    again = two.collect()
    assert again.observation is not None and again.observation.unit == 2
    units = [unit for unit, _ in json.loads((tmp_path / "a.json").read_text())]
    assert units == [1, 2], "the trial did not go on from its last slice"
    assert doomed not in {p for _, p in json.loads((tmp_path / "a.json").read_text())[1:]}


@pytest.mark.slow
def test_slices_prefer_their_worker_and_errors_come_through(two: Ray, tmp_path: Path) -> None:
    for until in (1, 2, 4):
        two.submit(piece("a", until))
        two.submit(piece("b", until))
        two.submit(piece("c", until))
        assert {two.collect().trial for _ in range(3)} == {"a", "b", "c"}
    for until in (8, 16):
        two.submit(piece("a", until))
        two.collect()
        two.submit(piece("d", until))
        two.collect()
    steps = json.loads((tmp_path / "a.json").read_text())
    assert steps[-1][1] == steps[-2][1]

    two.submit(piece("x", 1, "inf"))
    diverged = two.collect()
    assert diverged.diverged and "not finite" in diverged.fault
    two.submit(piece("y", 1, "wrong"))
    with pytest.raises(FixData) as met:
        two.collect()
    assert met.value.place == "train.csv, row 3" and met.value.allowed == "a, b"
    with pytest.raises(CheckRun):
        two.collect()


@pytest.mark.slow
def test_a_worker_that_cannot_be_set_up_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray", reason="the extra `ray` is not installed")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(HERE), *sys.path]))
    made = ray_executor("ray_workers:refusing", {}, 1)
    try:
        made.submit(piece("a", 1))
        with pytest.raises(FixData, match="no such file"):
            made.collect()
    finally:
        made.close()


def test_workers_are_given_what_the_machines_have() -> None:
    assert share([4], 2) == 2
    assert share([3, 5], 2) == 3
    assert share([2, 2, 2], 4) == 1
    assert share([1, 1], 3) == 0
    assert share([], 1) == 0


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InstallExtra, match=r"luthier\[ray\]"):
        connect(Cluster(2))


@pytest.mark.parametrize("address", ["127.0.0.1:1", "nonsense"])
def test_a_silent_address_is_refused(address: str) -> None:
    pytest.importorskip("ray", reason="the extra `ray` is not installed")
    with pytest.raises(FixRecipe, match=r"tune\.address"):
        connect(Cluster(1, address))
