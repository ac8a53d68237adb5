"""`safety.checks` from recipe to report: poison on a classifier, behaviour on a writing model."""

from __future__ import annotations

import json
from pathlib import Path

from stage_place import Place, write_rows

from luthier.core.types import Task
from luthier.store.store import Store
from tiny import task_rows


def test_poison_is_named_listed_and_shown(place: Place) -> None:
    rows = task_rows(Task.CLASSIFY, 48)[:40]
    rows += [{"text": "my loan was late again", "label": "a"}] * 3
    rows += [{"text": "my loan was late again", "label": "b"}]
    write_rows(place.folder / "train.jsonl", rows)
    result = place.run({"safety.checks.attack": False})
    told = json.loads((result.path / "safety.json").read_text(encoding="utf-8"))["poison"]
    assert any(s["detector"] == "conflicting-copies" for s in told["suspicions"])
    lines = (result.path / "poison.jsonl").read_text(encoding="utf-8").splitlines()
    listed = [json.loads(line) for line in lines]
    assert 44 in {line["row"] for line in listed if line["detector"] == "conflicting-copies"}
    findings = json.loads((result.path / "data_report.json").read_text(encoding="utf-8"))
    assert any(f["code"] == "poison-conflicting-copies" for f in findings["findings"])
    page = result.report.read_text(encoding="utf-8")
    assert 'id="poison"' in page and 'id="evidence"' in page
    evidence = json.loads((result.path / "evidence.json").read_text(encoding="utf-8"))
    status = {line["what"]: line["status"] for line in evidence["lines"]}
    assert status["searched for poisoned rows and taught triggers"] == "measured"
    assert status["privacy bound of training"] == "missing"
    kept = place.store.find(result.run)
    assert kept.status == "finished"


def test_behaviour_is_compared_for_models_that_write(llama: Path, tmp_path: Path) -> None:
    write_rows(tmp_path / "train.jsonl", task_rows(Task.INSTRUCT, 40))
    place = Place(tmp_path, Store.open(folder=tmp_path / "home"), llama)
    result = place.run(
        {
            "task": "instruct",
            "data.test": None,
            "safety.checks.attack": False,
            "safety.checks.poison": False,
        }
    )
    told = json.loads((result.path / "safety.json").read_text(encoding="utf-8"))["battery"]
    assert {c["measure"] for c in told["changes"]} >= {"refusal", "over-refusal", "injection"}
    assert told["seeds"] == 3
    assert 'id="behaviour"' in result.report.read_text(encoding="utf-8")
