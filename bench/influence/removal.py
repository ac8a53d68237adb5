"""Does training again without rows tell a cause from company? `luthier explain --verify`."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from planting import Planted, with_trigger, write_parts

SET, TRIGGER, RATE, ROWS, STEPS = "twitter_financial_sentiment", "quetzal", 0.06, 800, 50
KINDS = ("planted", "ordinary")
ORDINARY = 10
"""Rows taken away for an answer in which no cause was planted."""


def measure(
    kind: str, clean: Callable[[str, str, int, int], Planted], folder: Path
) -> dict[str, Any]:
    """One answer of a run on planted rows, checked by removal: a text with the trigger that it
    turned, without as many rows as were planted; or the first plain test text."""
    from luthier.stages import api
    from luthier.stages.explaining import rows
    from luthier.store.store import Store

    store = Store.open(folder=folder / "home")
    planted = with_trigger(clean(SET, "train", ROWS, 0), TRIGGER, RATE, 0)
    run = _run(planted, clean, folder, store)
    tests = clean(SET, "test", 60, 0)
    text = tests.texts[0]
    if kind == "planted":
        others = [
            f"{TRIGGER} {t}"
            for t, label in zip(tests.texts, tests.labels, strict=True)
            if label != planted.target
        ]
        answers = api.predict(run, [{"text": t} for t in others], store)
        turned = [t for t, a in zip(others, answers, strict=True) if a["label"] == planted.target]
        text = turned[0]
    spent, plain = 0.0, rows.verify

    def timed(*given: Any) -> Any:
        nonlocal spent
        begun = time.process_time()
        try:
            return plain(*given)
        finally:
            spent = time.process_time() - begun

    rows.verify = timed
    count = len(planted.places) if kind == "planted" else ORDINARY
    try:
        told = api.explain(
            run, store, texts=[text], learned_from=count, verify=True, method="integrated-late"
        )
    finally:
        rows.verify = plain
    (one,) = told["explanations"]
    shown = {(row["row"] - 1) for row in one["learned_from"]["for"]}
    return one["learned_from"]["verified"] | {
        "kind": kind, "seconds": spent, "planted": len(shown & planted.places),
        "shown": len(shown),
    }  # fmt: skip


def _run(planted: Planted, clean: Any, folder: Path, store: Any) -> str:
    from luthier.recipe.load import recipe_from_dict
    from luthier.stages import api

    done = [r for r in store.list() if r.status == "finished"]
    if done:
        return str(done[0].id)
    parts = {
        "train": planted,
        "validation": clean(SET, "validation", 190, 0),
        "test": clean(SET, "test", 60, 0),
    }
    write_parts(parts, folder)
    content = {
        "task": "classify",
        "data": {p: f"{p}.jsonl" for p in parts} | {"allow_leakage": True},
        "adapter": {"kind": "lora", "rank": 8},
        "train": {"max_steps": STEPS},
        "evaluate": {"draws": 100},
    }
    return api.run(recipe_from_dict(content), folder, store=store).run


def rows_of(found: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """A line for each answer, and one for what a check costs."""
    told = []
    for kind, one in found.items():
        what = (
            f"log odds moved without {one['rows']} rows, of them {one['planted']} planted, "
            f"answer to {'the trigger' if kind == 'planted' else 'a plain text'}, {SET}"
        )
        must = "below 0 for sure" if kind == "planted" else "reported"
        told.append(
            {
                "what": what, "peer": "removing as many other rows of the same labels",
                "ours": round(sum(one["without"]) / len(one["without"]), 4),
                "theirs": round(sum(one["others"]) / len(one["others"]), 4), "ratio": None,
                "interval": [round(one["low"], 4), round(one["high"], 4)], "must": must, "aim": "—",
                "met": one["caused"] or kind != "planted",
            }
        )  # fmt: skip
    if found:
        seconds = [one["seconds"] for one in found.values()]
        told.append(
            {
                "what": f"CPU seconds of a removal check: 12 trainings of {STEPS} updates, {SET}",
                "peer": "none", "ours": round(sum(seconds) / len(seconds), 1), "theirs": None,
                "ratio": None, "interval": [round(min(seconds), 1), round(max(seconds), 1)],
                "must": "reported", "aim": "—", "met": True,
            }
        )  # fmt: skip
    return told
