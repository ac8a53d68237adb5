"""`luthier run` on a set, as a user would: with a search before it or as it stands."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from gate import Gate, cpu_seconds

from luthier.core.progress import Silence
from luthier.recipe.load import recipe_from_dict
from luthier.search.history.past import History
from luthier.search.history.record import TaskRecord
from luthier.stages.api import predict, run
from luthier.store.store import Store


def main() -> None:
    """Answers which test rows the model that ships gets right, and what the run took."""
    gate = Gate()
    given, place = gate.given, Path(gate.given["place"])
    torch.set_num_threads(given["threads"])
    mask(given["families"])
    recipe: dict[str, Any] = {
        "task": "classify",
        "model": {"id": "embedded:encoder"},
        "data": {f: f"{f}.jsonl" for f in ("train", "validation", "test")},
    }
    if given["tokens"]:
        recipe["model"]["max_tokens"] = given["tokens"]
    if given["budget"]:
        recipe["tune"] = {"budget": given["budget"]}
    store, before = Store.open(folder=place / "home"), cpu_seconds()
    done = run(recipe_from_dict(recipe, given["name"]), place, Silence(), store)
    spent = cpu_seconds() - before
    rows = [json.loads(line) for line in (place / "test.jsonl").open(encoding="utf-8")]
    answers = predict(done.run, ({"text": row["text"]} for row in rows), store)
    right = [str(a["label"]) == str(r["label"]) for a, r in zip(answers, rows, strict=True)]
    search = done.search or {}
    gate.tell(
        seconds=done.seconds,
        cpu=spent,
        accuracy=done.metrics["tuned"]["accuracy"],
        right="".join("1" if r else "0" for r in right),
        trials=[
            {k: t.get(k) for k in ("id", "source", "config", "curve", "reason")}
            for t in search.get("trials", [])
        ],
        **{k: search.get(k) for k in ("winner", "why", "stopped", "one_run", "stack")},
    )


def mask(families: Sequence[str]) -> None:
    """Leaves what the starter history knows of the set itself, and of its relations, out."""
    whole = History.related

    def related(self: History, kind: str, without: Sequence[str] = ()) -> tuple[TaskRecord, ...]:
        return whole(self, kind, (*without, *families))

    History.related = related  # type: ignore[method-assign]


if __name__ == "__main__":
    main()
