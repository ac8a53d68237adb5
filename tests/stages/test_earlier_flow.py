"""Encoders that earlier runs left are tried for few labels, and taken on evidence alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from stage_place import Place, write_rows
from test_ladder_flow import ladder, made, run

from luthier.stages import api

ALONE = {"fewshot.rungs": ["earlier"]}
TUNED = {"evaluate.metric": "log_loss", "train.max_steps": 12, "train.probe_start": 1.0}
"""A run whose training is kept, as it lowers the loss."""


def reason(place: Place, run_id: str) -> str:
    """Why the rung was not tried."""
    decisions = ladder(place.store.find(run_id))["decisions"]
    return str(next(d["reason"] for d in decisions if d["rung"] == "earlier"))


def test_the_encoder_of_an_earlier_run_is_taken_and_kept(place: Place) -> None:
    first = place.run({**TUNED, "adapter.rank": 3})
    result, record = run(place, made(10), ALONE, test=made(5, 100))
    told = ladder(record)
    assert told["rung"] == "earlier"
    assert told["earlier"] == {"run": first.run, "tried": [first.run]}
    recipe = json.loads((record.path / "recipe.json").read_text(encoding="utf-8"))
    assert recipe["adapter"]["rank"] == 3
    assert f"that run {first.run} left" in (record.path / "report.html").read_text("utf-8")
    again = api.evaluate(record.id, "held.jsonl", place.store, base_folder=place.folder)
    for name in ("accuracy", "log_loss"):
        assert again["metrics"][name] == pytest.approx(result.metrics["tuned"][name], abs=1e-4)
    # The earlier run may go: what it left stands with the later one, which is no encoder of its own
    # that a third run could take without knowing which rows it has read.
    place.store.delete(first.run)
    third, _ = run(place, made(10, 900), test=made(5, 950))
    assert "no earlier run" in reason(place, third.run)
    answers = list(api.predict(record.id, [{"text": "loan fee"}], place.store))
    assert len(answers) == 1


def test_without_the_wish_no_earlier_run_is_looked_at(place: Place) -> None:
    place.run(TUNED)
    result, _ = run(place, made(10), {"fewshot.earlier": False}, test=made(5, 100))
    assert "no earlier run" in reason(place, result.run)


def test_a_run_that_read_the_same_rows_is_left_out(place: Place) -> None:
    rows = made(10)
    write_rows(place.folder / "grown.jsonl", [*rows, *made(20, 500)])
    first = place.run({**TUNED, "data.train": "grown.jsonl", "data.test": None})
    result, record = run(place, rows, test=made(5, 100))
    assert "no earlier run" in reason(place, result.run)
    assert any(first.run in n and "has read rows" in n for n in ladder(record)["notes"])


@pytest.mark.parametrize(
    "guarded",
    [
        {"tune.private": True, "tune.budget": "1 trials"},
        {"tune.tenant": "ward 3", "tune.budget": "1 trials"},
        {"safety.privacy": {"epsilon": 8.0, "batch_size": 16, "force": True}},
        {"adapter.kind": "full"},
    ],
)
def test_runs_of_others_and_private_ones_are_never_looked_at(
    place: Place, guarded: Mapping[str, Any]
) -> None:
    place.run({**TUNED, **guarded})
    result, _ = run(place, made(10), test=made(5, 100))
    assert "no earlier run" in reason(place, result.run)


def test_a_damaged_earlier_run_is_no_help_and_no_harm(place: Place) -> None:
    first = place.run(TUNED)
    file = first.path / "model" / "adapter" / "adapter_model.safetensors"
    file.write_bytes(file.read_bytes()[:-20])
    result, _ = run(place, made(10), test=made(5, 100))
    assert "no earlier run" in reason(place, result.run)
