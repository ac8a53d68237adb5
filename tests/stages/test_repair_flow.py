"""`luthier repair` on whole runs: what passes becomes a run, what does nothing is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from stage_place import Place, write_rows
from test_bias_flow import learnt

from luthier.core.errors import CheckRun, FixRecipe
from luthier.core.hashing import hash_file
from luthier.core.types import Task
from luthier.explain.bias.acceptance import LESS, QUALITY, SEEDS, Condition, Limits
from luthier.stages import api
from luthier.stages.bias.repair import Asked
from luthier.stages.bias.repair import repair as repair_stage
from luthier.store.manifest import Manifest
from luthier.store.store import Store
from tiny import Quiet, task_rows


@pytest.fixture(scope="module")
def made(bert: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Place, api.RunResult]:
    """A finished run with a planted bias."""
    return learnt(tmp_path_factory.mktemp("biased"), bert)


def _repair(place: Place, made: api.RunResult, **asked: Any) -> dict[str, Any]:
    terms = place.folder / "terms.json"
    wanted = Asked(terms=terms, positive=("bad",), **asked)
    return repair_stage(place.store.find(made.run), place.store, wanted, Quiet())


def _prints(made: api.RunResult) -> dict[str, str]:
    files = [f for f in (made.path / "model").rglob("*") if f.is_file()]
    return {str(f): hash_file(f) for f in [*files, made.path / "metrics.json"]}


def test_a_repair_that_does_nothing_is_refused_and_says_why(
    made: tuple[Place, api.RunResult],
) -> None:
    place, run = made
    before = _prints(run)
    told = _repair(place, run, kinds=("none",))
    assert not told["accepted"] and told["conditions"] == [] and "made" not in told
    (tried,) = told["tried"]
    assert LESS in tried["says"]
    assert "is as it was" in told["words"][0]
    # A refusal says what came nearest, and what a person can do.
    assert "'none'" in told["words"][1] and LESS in told["words"][1]
    assert f"luthier explain {run.run} --mislabelled" in told["words"][2]
    assert _prints(run) == before and len(place.store.list()) == 1
    assert Manifest.verify(run.path) == []
    page = run.report.read_text(encoding="utf-8")
    assert "<h3>Repair</h3>" in page and "No repair was worth the gate" in page


def test_what_passes_is_a_run_of_its_own_that_names_its_parent(
    made: tuple[Place, api.RunResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    place, run = made
    # What the gate asks is tested on its own; here every condition holds.
    held = [Condition(QUALITY, True, "as good", 0.0)]
    monkeypatch.setattr("luthier.stages.bias.evidence.judged", lambda *given: held)
    before = _prints(run)
    told = _repair(place, run, kinds=("pair", "augment"))
    assert told["accepted"] and told["kind"] == "pair" and len(told["tried"]) == 1
    assert all(c["held"] for c in told["conditions"]) and len(told["seeds"]) == 3
    child = place.store.find(told["made"])
    assert child.facts["parent"] == run.run and child.facts["repair"] == told["kind"]
    assert child.recipe["repair"]["parent"] == str(run.path)
    assert child.status == "finished" and Manifest.verify(child.path) == []
    assert _prints(run) == before and Manifest.verify(run.path) == []
    # The run was trained once more, and gives the same answers as the seed that was judged.
    tuned = json.loads((child.path / "metrics.json").read_text(encoding="utf-8"))["tuned"]
    assert tuned["macro_f1"] == pytest.approx(told["seeds"][0]["metrics"]["macro_f1"][1])
    assert f"run {told['made']}" in run.report.read_text(encoding="utf-8")


def test_a_repair_that_costs_too_much_is_refused_at_the_gate_by_name(
    made: tuple[Place, api.RunResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    place, run = made
    # Whatever the validation rows say, the test rows decide.
    monkeypatch.setattr("luthier.stages.bias.repair._promising", lambda condition, limits: True)
    told = _repair(place, run, kinds=("none",), limits=Limits(margin=0.0, less=0.99))
    assert not told["accepted"] and "made" not in told
    failed = {c["name"] for c in told["conditions"] if not c["held"]}
    assert {LESS, SEEDS} <= failed
    assert all(any(name in line for line in told["words"]) for name in failed)
    page = run.report.read_text(encoding="utf-8")
    assert "✗ no" in page and "The repair &#39;none&#39; was refused" in page


def test_what_does_not_go_together_is_refused(
    made: tuple[Place, api.RunResult], llama: Path, tmp_path: Path
) -> None:
    place, run = made
    with pytest.raises(FixRecipe, match=r"there is no such repair.*did you mean 'augment'"):
        api.repair(run.run, place.store, kinds=("augmen",))
    write_rows(tmp_path / "train.jsonl", task_rows(Task.INSTRUCT, 30))
    write_rows(tmp_path / "test.jsonl", task_rows(Task.INSTRUCT, 8, seed=9))
    other = Place(tmp_path, Store.open(folder=tmp_path / "home"), llama)
    writer = other.run({"task": "instruct"})
    with pytest.raises(CheckRun, match="its task is instruct"):
        api.repair(writer.run, other.store)
