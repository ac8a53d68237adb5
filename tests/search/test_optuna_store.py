"""A search of the store becomes a study for Optuna, by the command too."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from luthier.cli.main import app
from luthier.core.errors import CheckRun
from luthier.search.bridges.optuna import read_task
from luthier.search.bridges.plain import space_to_list
from luthier.search.bridges.stored import stored_study
from luthier.search.history.log import StoredLog
from luthier.search.parameter import Range
from luthier.search.space import Space
from luthier.search.trial import Observation, Trial
from luthier.store.store import Store
from luthier.store.studies import StudyRow

SPACE = Space((Range("rate", -1.0, 1.0, 0.0, 0.4),))


@pytest.fixture
def searched(tmp_path: Path) -> str:
    """A run whose search is in the store below `home`."""
    store = Store.open(folder=tmp_path / "home")
    run = store.create("first", "classify", {}, {}).id
    facts = {"recipe": "r", "space": json.dumps(space_to_list(SPACE))}
    store.studies.put(
        StudyRow(run, "", False, "classify", "bank", "b0", "accuracy", True, "higher", 0.5, 40,
                 {"rows": 3.0}, facts)
    )  # fmt: skip
    log = StoredLog(store, run, tmp_path / "rows")
    for place, rate in enumerate((0.0, 0.5)):
        trial = Trial(f"t00{place}", {"rate": rate}, "prior")
        log.began(trial)
        for unit in (8, 16):
            log.saw(trial, Observation(unit, 0.6 + rate / 10, 1.0, 1.0, float(unit)))
        trial.status = "finished"
        log.changed(trial)
    return run


def test_a_stored_search_goes_out_by_the_command(
    searched: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("optuna", reason="the extra `tune` is not installed")
    monkeypatch.chdir(tmp_path)
    words = ["tune", "export", searched, "sqlite:///study.db", "--json"]
    done = CliRunner().invoke(app, [*words, "--home", str(tmp_path / "home")])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout.strip().splitlines()[-1])
    assert told["study"] == searched and told["trials"] == 2
    task, space = read_task("sqlite:///study.db", searched)
    assert space == SPACE and dict(task.facts) == {"recipe": "r"}
    assert [t.final for t in task.trials] == [0.6, 0.65]


def test_a_run_without_a_search_is_refused(tmp_path: Path) -> None:
    store = Store.open(folder=tmp_path / "home")
    run = store.create("first", "classify", {}, {}).id
    with pytest.raises(CheckRun, match="searched nothing"):
        stored_study(store, run)


def test_export_says_what_it_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["tune", "export", "last"])
    assert done.exit_code == 2 and "a run and a storage" in done.output + done.stderr
