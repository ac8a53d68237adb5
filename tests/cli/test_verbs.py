"""What verbs answer, with a fake below them."""

from __future__ import annotations

import json
import sys
import types
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import luthier.stages
from luthier.cli.main import app
from luthier.cli.settings import Settings
from luthier.core.errors import CheckRun, FixData, ResumeLater
from luthier.core.types import Finding, Interval, Level, Task
from luthier.recipe import Recipe, recipe_from_dict
from luthier.store.records import RunRecord

METRICS = {"base": {"accuracy": 0.25}, "tuned": {"accuracy": 0.75}, "interval": {}}
RECIPE = {"data": {"train": "rows.csv"}, "adapter": {"kind": "lora", "rank": 4}}


def record(run: str, rank: int = 4, task: str = "classify") -> RunRecord:
    recipe = RECIPE | {"adapter": {"kind": "lora", "rank": rank}}
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    return RunRecord(
        run, "first", task, "finished", "", moment, moment, Path("runs") / run, recipe,
        {"metrics": METRICS},
    )  # fmt: skip


class FakeStore:
    """A store of three runs."""

    def __init__(self) -> None:
        self.runs = {
            "one": record("one"),
            "two": record("two", rank=8),
            "chat": record("chat", task="instruct"),
        }

    def find(self, run: str) -> RunRecord:
        if run not in self.runs:
            raise CheckRun(f"run {run}", "there is none")
        return self.runs[run]

    finished = find

    def list(self) -> list[RunRecord]:
        return list(self.runs.values())

    def delete(self, run: str) -> None:
        del self.runs[run]


@dataclass(frozen=True)
class FakePlan:
    """A plan with something in every part."""

    resolved: Recipe
    task: Task = Task.INSTRUCT
    base: str = "embedded:causal"
    rows: Any = None
    estimate: Any = None
    notes: tuple[str, ...] = ("90 updates",)

    @property
    def findings(self) -> tuple[Finding, ...]:
        return (
            Finding("supervised", Level.INFO, "half of the tokens", 10),
            Finding("leakage", Level.ERROR, "rows stand in two parts", 12, tuple(range(1, 13))),
        )

    @property
    def legal(self) -> dict[str, dict[str, Any]]:
        return {"pack": {"on": False, "why": "too short"}}

    @property
    def masked(self) -> tuple[tuple[tuple[str, bool], ...], ...]:
        return ((("Say", False), (" hi", False), ("Hi", True), ("!", True)),)

    def as_dict(self) -> dict[str, Any]:
        return {"task": self.task.value, "rows": self.rows}


class FakeResult:
    """A finished run."""

    summary = (("accuracy", 0.25, 0.75, Interval(0.5, 0.4, 0.6), 0.0001),)

    def as_dict(self) -> dict[str, Any]:
        return {
            "run": "one", "path": "runs/one", "task": "classify", "metrics": METRICS,
            "report": "runs/one/report.html", "seconds": 71.0,
        }  # fmt: skip


class FakeApi(types.ModuleType):
    """The stages, with what they were called with."""

    def __init__(self) -> None:
        super().__init__("luthier.stages.api")
        self.called: list[Any] = []
        self.fault: BaseException | None = None

    def plan(self, recipe: Recipe, folder: Path, progress: Any, home: Path) -> FakePlan:
        self.called.append(("plan", recipe, folder))
        estimate = {"memory_mb": 512.0, "seconds": 90.0}
        return FakePlan(recipe, rows={"train": 1200}, estimate=estimate)

    def run(self, recipe: Recipe, folder: Path, progress: Any, store: Any) -> FakeResult:
        self.called.append(("run", recipe, folder))
        progress.start("training", 10, "updates")
        if self.fault:
            raise self.fault
        return FakeResult()

    def resume(self, run: str, store: Any, progress: Any) -> FakeResult:
        self.called.append(("resume", run))
        return FakeResult()

    def predict(
        self, run: str, rows: Iterable[dict[str, Any]], store: Any, progress: Any
    ) -> Iterator[dict[str, Any]]:
        for number, row in enumerate(rows, start=1):
            self.called.append(row)
            if self.fault and number == 3:
                raise self.fault
            yield {"label": row.get("text", "?"), "score": 0.5}


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeApi:
    fake, store = FakeApi(), FakeStore()
    monkeypatch.setitem(sys.modules, "luthier.stages.api", fake)
    monkeypatch.setattr(luthier.stages, "api", fake, raising=False)
    monkeypatch.setattr(Settings, "open_store", lambda self: store)
    monkeypatch.setenv("LUTHIER_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "recipe.yaml").write_text("data:\n  train: rows.csv\n", encoding="utf-8")
    return fake


def call(*arguments: str, given: str | None = None) -> Any:
    return CliRunner().invoke(app, arguments, input=given)


def last(result: Any) -> Any:
    return json.loads(result.stdout.strip().splitlines()[-1])


def test_plan_reads_overrides_and_folder(api: FakeApi, tmp_path: Path) -> None:
    assert call("plan", "recipe.yaml", "train.seed=5", "--json").exit_code == 0
    [(_, recipe, folder)] = api.called
    assert recipe == recipe_from_dict({"data": {"train": "rows.csv"}, "train": {"seed": 5}})
    assert folder == tmp_path


def test_plan_for_people(api: FakeApi) -> None:
    said = call("plan", "recipe.yaml").stdout
    assert "1,200 train" in said and "about 512 MB" in said and "about 1:30" in said
    assert said.index("leakage") < said.index("supervised")
    assert "1, 2, 3, 4, 5, 6, 7, 8 and 4 more" in said
    assert "too short" in said
    assert "Say hi[[Hi!]]" in said
    assert "A run would stop at the errors above" in said
    assert "Resolved recipe" not in said
    again = call("plan", "recipe.yaml", "train.seed=5", "name=two words").stdout
    assert "luthier run recipe.yaml train.seed=5 'name=two words'" in again


def test_full_plan_prints_a_recipe_that_can_be_read(api: FakeApi) -> None:
    said = call("plan", "recipe.yaml", "--full").stdout
    assert "Resolved recipe" in said and "learning_rate: auto" in said


@pytest.mark.parametrize("before", [True, False])
def test_shared_options_stand_before_or_after_the_verb(api: FakeApi, before: bool) -> None:
    arguments = ["--json", "run", "recipe.yaml"] if before else ["run", "recipe.yaml", "--json"]
    assert last(call(*arguments))["run"] == "one"


def test_run_for_people(api: FakeApi) -> None:
    said = call("run", "recipe.yaml").stdout
    assert "+0.5000 [+0.4000, +0.6000]" in said and "< 0.001" in said
    assert "in 1:11" in said and "runs/one/report.html" in said


def test_quiet_run_prints_only_the_report(api: FakeApi) -> None:
    result = call("run", "recipe.yaml", "--quiet")
    assert (result.stdout, result.stderr) == ("runs/one/report.html\n", "")


def test_interrupted_run_says_how_to_resume(api: FakeApi) -> None:
    api.fault = ResumeLater("run one", "stopped by you", advice="luthier runs resume one")
    result = call("run", "recipe.yaml")
    assert result.exit_code == 130
    assert result.stderr.endswith("run one: stopped by you. luthier runs resume one.\n")


def test_predict_texts(api: FakeApi) -> None:
    assert call("predict", "one", "a", "b").stdout == "a  0.5000\nb  0.5000\n"
    assert api.called == [{"text": "a"}, {"text": "b"}]


def test_predict_reads_standard_input(api: FakeApi) -> None:
    assert call("predict", "one", "-", given="a\nb\n").stdout == "a  0.5000\nb  0.5000\n"


def test_predict_of_a_chat_model_asks_by_prompt(api: FakeApi) -> None:
    call("predict", "chat", "a")
    assert api.called == [{"prompt": "a"}]


def write_rows(folder: Path) -> None:
    lines = [json.dumps({"text": text}) for text in "abcd"]
    (folder / "rows.jsonl").write_text("\n".join(lines), encoding="utf-8")


def test_predict_a_file_in_its_order(api: FakeApi, tmp_path: Path) -> None:
    write_rows(tmp_path)
    result = call("predict", "one", "--data", "rows.jsonl", "--out", "out.jsonl", "--json")
    assert last(result)["rows"] == 4
    lines = (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["label"] for line in lines] == list("abcd")


def test_broken_off_prediction_leaves_no_file(api: FakeApi, tmp_path: Path) -> None:
    write_rows(tmp_path)
    api.fault = FixData("rows.jsonl, row 3", "the text is empty")
    before = {path.name for path in tmp_path.iterdir()}
    result = call("predict", "one", "--data", "rows.jsonl", "--out", "out.jsonl")
    assert result.exit_code == 3
    assert {path.name for path in tmp_path.iterdir()} == before


def test_broken_off_prediction_keeps_the_earlier_file(api: FakeApi, tmp_path: Path) -> None:
    write_rows(tmp_path)
    (tmp_path / "out.jsonl").write_text("earlier", encoding="utf-8")
    api.fault = FixData("rows.jsonl, row 3", "the text is empty")
    call("predict", "one", "--data", "rows.jsonl", "--out", "out.jsonl", "--force")
    assert (tmp_path / "out.jsonl").read_text(encoding="utf-8") == "earlier"


def test_runs_list(api: FakeApi) -> None:
    assert [run["id"] for run in last(call("runs", "list", "--json"))["runs"]] == [
        "one", "two", "chat",
    ]  # fmt: skip
    assert "accuracy 0.2500 to 0.7500" in call("runs", "list").stdout
    assert call("runs", "list", "--quiet").stdout == "one\ntwo\nchat\n"


def test_runs_show(api: FakeApi) -> None:
    facts = last(call("runs", "show", "one", "--json"))
    assert facts["created"] == "2026-01-02T03:04:05+00:00"
    assert facts["metrics"] == METRICS
    assert "adapter.rank" in call("runs", "show", "one").stdout


def test_runs_compare(api: FakeApi) -> None:
    compared = last(call("runs", "compare", "one", "two", "--json"))
    assert compared["recipe"] == {"adapter.rank": [4, 8]}
    assert compared["metrics"] == {"accuracy": [0.75, 0.75]}
    assert "The recipes are the same" in call("runs", "compare", "one", "one").stdout


def test_runs_resume(api: FakeApi) -> None:
    assert last(call("runs", "resume", "one", "--json"))["run"] == "one"
    assert api.called == [("resume", "one")]


def test_delete_asks(api: FakeApi) -> None:
    assert call("runs", "delete", "one", given="n\n").exit_code == 1
    assert call("runs", "delete", "one", "--json").exit_code == 8
    assert call("runs", "show", "one", "--quiet").exit_code == 0
    assert call("runs", "delete", "one", given="y\n").exit_code == 0
    assert call("runs", "show", "one").exit_code == 8


def test_schema_is_written_and_printed(api: FakeApi, tmp_path: Path) -> None:
    assert call("schema", "--out", "s.json").exit_code == 0
    written = json.loads((tmp_path / "s.json").read_text(encoding="utf-8"))
    assert written == last(call("schema", "--json")) == json.loads(call("schema").stdout)
