"""Few labels and a base that writes: a run takes the ladder by itself, and its model answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from stage_place import Place, is_whole, write_rows

from luthier.recipe.load import recipe_from_dict
from luthier.stages import api
from luthier.store.records import RunRecord

SAID = {"bank": "a card, a loan or money", "clinic": "a patient with fever, cough or pain"}
ROWS = [
    {"text": f"{'my card fee' if i % 2 else 'patient has pain'} {i}", "label": name}
    for i, name in enumerate(("clinic", "bank") * 6)
]


def run(place: Place, llama: Path, labelled: bool, **fewshot: Any) -> RunRecord:
    """A run whose recipe says nothing of training."""
    rows = ROWS if labelled else [{"text": row["text"]} for row in ROWS]
    write_rows(place.folder / "few.jsonl", rows)
    held = [row | {"text": f"{row['text']} again"} for row in ROWS]
    write_rows(place.folder / "held.jsonl", held)
    content = {
        "task": "classify", "model": {"id": str(llama)}, "evaluate": {"draws": 100},
        "data": {"train": "few.jsonl", "test": "held.jsonl"},
        "fewshot": {"descriptions": SAID, **fewshot},
    }  # fmt: skip
    result = api.run(recipe_from_dict(content), place.folder, store=place.store)
    return place.store.find(result.run)


@pytest.mark.parametrize("rung", ["worded", "channel", "stacked"])
def test_it_is_chosen_kept_and_answers(place: Place, llama: Path, rung: str) -> None:
    record = run(place, llama, True, rungs=[rung])
    assert is_whole(record)
    told = json.loads((record.path / "ladder.json").read_text(encoding="utf-8"))
    assert told["rung"] == rung
    held = [row | {"text": f"{row['text']} again"} for row in ROWS]
    answers = list(api.predict(record.id, [{"text": r["text"]} for r in held], place.store))
    right = [a["label"] == r["label"] for a, r in zip(answers, held, strict=True)]
    metrics = json.loads((record.path / "metrics.json").read_text(encoding="utf-8"))
    assert sum(right) / len(right) == pytest.approx(metrics["tuned"]["accuracy"])


def test_without_any_label_names_are_weighed(place: Place, llama: Path) -> None:
    record = run(place, llama, False)
    told = json.loads((record.path / "ladder.json").read_text(encoding="utf-8"))
    assert told["rung"] == "worded"
