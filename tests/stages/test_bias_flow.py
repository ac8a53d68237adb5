"""`luthier audit --bias` on whole runs: a planted difference is found and stands on the report."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import Any

import pytest
from stage_place import Place, write_rows

from luthier.core.errors import CheckRun, FixData, FixRecipe
from luthier.core.types import Task
from luthier.stages import api
from luthier.stages.bias.words import sentences_of
from luthier.store.manifest import Manifest
from luthier.store.store import Store
from tiny import task_rows

TERMS = {
    "sets": [
        {"axis": "bank", "kind": "noun", "repair": ["fee", "money"], "held": ["loan", "card"]},
        {"axis": "body", "kind": "noun", "repair": ["arm"], "held": ["tiger"]},
    ],
    "neutral": {"noun": ["today", "again"]},
    "templates": [
        {"text": "my {noun} please", "harmful": held, "held": other}
        for held in (True, False)
        for other in (True, False)
    ],
    "mentions": [
        {"text": "{text} {noun}", "held": True},
        {"text": "{noun} {text}", "held": False},
    ],
}


def biased_rows(count: int, seed: int) -> list[dict[str, Any]]:
    """Rows whose label is a word's matter: `fee` and `loan` are bad, `card` and `money` good."""
    dice = random.Random(seed)
    rows = []
    for _ in range(count):
        words = [dice.choice(["the", "pays", "back", "now", "iron", "daily"]) for _ in range(5)]
        bad = dice.random() < 0.5
        if dice.random() < 0.6:
            words.insert(
                dice.randint(0, 5), dice.choice(["fee", "loan"] if bad else ["card", "money"])
            )
        rows.append({"text": " ".join(words), "label": "bad" if bad else "good", "side": "ab"[bad]})
    return rows


@pytest.fixture
def biased(bert: Path, tmp_path: Path) -> Place:
    """A folder with such rows and a file of words."""
    write_rows(tmp_path / "train.jsonl", biased_rows(300, 1))
    write_rows(tmp_path / "test.jsonl", biased_rows(160, 2))
    (tmp_path / "terms.json").write_text(json.dumps(TERMS), encoding="utf-8")
    return Place(tmp_path, Store.open(folder=tmp_path / "home"), bert)


LEARNT = {"adapter.kind": "full", "train.max_steps": 150, "train.learning_rate": 3e-3}


def learnt(folder: Path, model: Path) -> tuple[Place, api.RunResult]:
    """A finished run with a planted bias, and validation rows of its own."""
    for part, seed in (("train", 1), ("validation", 3), ("test", 2)):
        write_rows(folder / f"{part}.jsonl", biased_rows(240, seed))
    (folder / "terms.json").write_text(json.dumps(TERMS), encoding="utf-8")
    place = Place(folder, Store.open(folder=folder / "home"), model)
    # Rows of so few words meet by chance in several parts.
    own = {"data.validation": "validation.jsonl", "data.allow_leakage": True}
    return place, place.run(LEARNT | own)


def test_a_planted_difference_is_found_and_stands_on_the_report(biased: Place) -> None:
    made = biased.run(LEARNT)
    before = biased.store.find(made.run)
    told = api.audit_bias(
        made.run, biased.store, terms=biased.folder / "terms.json", positive=("bad",)
    )
    assert told == json.loads((made.path / "bias.json").read_text(encoding="utf-8"))
    found = [f for f in told["findings"] if f["verdict"] == "found"]
    rates = {f["group"]: f["value"] for f in found if f["measure"].startswith("false positive")}
    assert rates["loan"] > 0.2 and rates["card"] < -0.2 and rates["fee"] > 0.2
    assert told["never"] == ["arm", "tiger"]
    assert f"of {told['rows']} test rows say a word" in told["words"][0]
    said = " ".join(told["words"])
    assert "With 'loan' put around test rows, rows are wrongly called 'bad'" in said
    arm = [f for f in told["findings"] if f["group"] == "arm" and "around" not in f["measure"]]
    assert {f["verdict"] for f in arm[:1]} == {"cannot say"}
    page = made.report.read_text(encoding="utf-8")
    # Marks lie inside their picture, the farthest end of an interval near its edge.
    drawn = page[page.index('id="bias"') :].split('aria-labelledby="')[1]
    pairs = re.findall(r'whisker tuned" x1="(.*?)" x2="(.*?)"', drawn)
    ends = [float(end) for pair in pairs for end in pair]
    assert min(ends) >= 0 and max(ends) <= 200 and max(abs(x - 100) for x in ends) > 90
    assert 'id="bias"' in page and "&#39;card&#39;" in page and "<script" not in page
    assert Manifest.verify(before.path) == []
    again = api.audit_bias(
        made.run, biased.store, terms=biased.folder / "terms.json", positive=("bad",)
    )
    assert again == told


def test_groups_by_a_column_and_each_label_in_turn(biased: Place) -> None:
    made = biased.run()
    told = api.audit_bias(made.run, biased.store, column="side")
    assert told["grouped_by"] == "side" and set(told["choices"]) == {"bad", "good"}
    assert {f["group"] for f in told["findings"] if "around" not in f["measure"]} == {"a", "b"}
    sums = told["choices"]["bad"]["probes"]
    assert all(one["fped"] is None for name, one in sums.items() if "sentences" in name)
    with pytest.raises(FixData, match=r"there is no column 'sid'.*did you mean 'side'"):
        api.audit_bias(made.run, biased.store, column="sid")
    with pytest.raises(FixRecipe, match=r"there is no such label.*did you mean 'good'"):
        api.audit_bias(made.run, biased.store, positive=("goood",))
    with pytest.raises(FixRecipe, match="it names every label"):
        api.audit_bias(made.run, biased.store, positive=("good", "bad"))
    with pytest.raises(FixRecipe, match="a classifier gives no probability"):
        api.audit_bias(made.run, biased.store, pairs=Path("pairs.jsonl"))
    with pytest.raises(FixRecipe, match="--questions: a classifier gives no"):
        api.audit_bias(made.run, biased.store, questions=Path("questions.jsonl"))


def test_a_model_that_writes_is_asked_for_pairs(llama: Path, tmp_path: Path) -> None:
    write_rows(tmp_path / "train.jsonl", task_rows(Task.INSTRUCT, 40))
    write_rows(tmp_path / "test.jsonl", task_rows(Task.INSTRUCT, 8, seed=9))
    place = Place(tmp_path, Store.open(folder=tmp_path / "home"), llama)
    made = place.run({"task": "instruct"})
    with pytest.raises(CheckRun, match="give --pairs FILE"):
        api.audit_bias(made.run, place.store)
    pairs = [{"text": f"the card pays {w}", "text_alt": f"the loan pays {w}"} for w in "abcd" * 9]
    write_rows(tmp_path / "pairs.jsonl", pairs)
    told = api.audit_bias(made.run, place.store, pairs=tmp_path / "pairs.jsonl")
    assert told["pairs"]["pairs"] == 36 and 0 <= told["pairs"]["preferred"]["value"] <= 1
    assert told["pairs"]["findings"][0]["rows"] == 36
    assert 'id="bias"' in made.report.read_text(encoding="utf-8")


def test_a_model_that_writes_is_asked_questions(llama: Path, tmp_path: Path) -> None:
    write_rows(tmp_path / "train.jsonl", task_rows(Task.INSTRUCT, 40))
    write_rows(tmp_path / "test.jsonl", task_rows(Task.INSTRUCT, 8, seed=9))
    place = Place(tmp_path, Store.open(folder=tmp_path / "home"), llama)
    made = place.run({"task": "instruct"})
    row = {
        "context": "the bank has a loan", "question": "late?", "stereotyped": 0, "unknown": 2,
        "answers": ["my card", "my arm", "no"], "group": "bank",
    }  # fmt: skip
    rows = [row | {"condition": "ambiguous"}, row | {"condition": "disambiguated", "correct": 1}]
    file = write_rows(tmp_path / "questions.jsonl", rows * 18)
    told = api.audit_bias(made.run, place.store, questions=file)
    assert told["questions"]["ambiguous"]["rows"] == 18 and "pairs" not in told
    assert any("18 ambiguous questions" in line for line in told["words"])
    assert any("18 of its 18 rows" in line for line in told["words"])
    page = made.report.read_text(encoding="utf-8")
    assert "18 disambiguated questions" in page and "bank: 18 of its 18" in page
    pairs = [{"text": f"the card pays {w}", "text_alt": f"the loan pays {w}"} for w in "abcd" * 9]
    both = write_rows(tmp_path / "pairs.jsonl", pairs)
    told = api.audit_bias(made.run, place.store, questions=file, pairs=both)
    assert told["pairs"]["pairs"] == 36 and told["questions"]["questions"] == 36
    write_rows(file, [row | {"condition": "ambiguous", "context": "the loan " * 400}])
    with pytest.raises(FixData, match=r"the questions, row 1: .*longer"):
        api.audit_bias(made.run, place.store, questions=file)


def test_where_no_row_names_a_group_that_is_said_first(bert: Path, tmp_path: Path) -> None:
    for part, seed in (("train", 1), ("test", 2)):
        write_rows(tmp_path / f"{part}.jsonl", task_rows(Task.CLASSIFY, 60, seed=seed))
    place = Place(tmp_path, Store.open(folder=tmp_path / "home"), bert)
    made = place.run({"data.allow_leakage": True})
    first, *others = api.audit_bias(made.run, place.store)["words"]
    assert first.startswith("0 of 60 test rows say a word") and "too few" in first
    assert not any(line.startswith("Rows that say") for line in others)


@pytest.mark.parametrize(
    ("measure", "grouped", "says"),
    [
        ("false positive rate of bad", "words", "Rows that say 'x' are wrongly called 'bad' 12"),
        ("false negative rate of a, b", "words", "Rows that say 'x' and are 'a, b' are missed 12"),
        ("false positive rate of bad", "side", "Rows of 'x' are wrongly called 'bad' 12 points"),
        ("false negative rate of bad, neutral words in sentences", "words",
         "With 'x' (neutral: it names no group) in made-up sentences, rows that are 'bad' are "
         "missed 12"),
        ("false positive rate of bad, held-out words around rows", "words",
         "With 'x' put around test rows, rows are wrongly called 'bad' 12 points more often than "
         "with all such words (+3 to +20, 50 rows)."),
    ],
)  # fmt: skip
def test_a_difference_is_told_as_what_it_means(measure: str, grouped: str, says: str) -> None:
    found = {
        "group": "x", "measure": measure, "rows": 50, "verdict": "found", "value": 0.12,
        "low": 0.03, "high": 0.2,
    }  # fmt: skip
    probes = {"neutral words in sentences": {}, "held-out words around rows": {}}
    told = {
        "task": "classify", "findings": [found], "choices": {"bad": {"probes": probes}},
        "declared": True, "never": [], "named": 60, "rows": 200, "grouped_by": grouped,
    }  # fmt: skip
    assert any(line.startswith(says) for line in sentences_of(told))
