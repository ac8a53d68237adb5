"""Ordinary training on the draws of run.py, where labels are no longer few; cells lie in cells/.

python bench/fewshot/ordinary.py [--minutes 30]
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import Any

from run import drawn, fill
from sets import Set

from luthier.recipe.load import recipe_from_dict
from luthier.stages import api
from luthier.store.store import Store

SETS = ("twitter_financial_sentiment", "snips", "sentfin", "medical_abstracts")
CELLS = (
    *((name, "64", 0) for name in SETS),
    *((name, "32", 0) for name in SETS),
    *((name, "10 %", 0) for name in (*SETS[:3], "banking77")),
    *((name, budget, 1) for budget in ("64", "32") for name in SETS),
)
"""Set, budget and draw, those first that tell most."""


def measure(found: Set, budget: str, seed: int) -> dict[str, Any]:
    """What a run with the defaults and without the ladder reaches on the test part."""
    places = drawn(found, budget, seed)
    parts = {
        "train": [(found.train.texts[i], found.train.truth[i]) for i in places.tolist()],
        "test": list(zip(found.test.texts, found.test.truth, strict=True)),
    }
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for name, rows in parts.items():
            lines = (json.dumps({"text": t, "label": found.labels[int(c)]}) for t, c in rows)
            (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
        content = {
            "task": "classify",
            "data": {"train": "train.jsonl", "test": "test.jsonl", "allow_leakage": True},
            "model": {"max_tokens": 256},
            "fewshot": {"enabled": "off"},
            "train": {"seed": seed},
        }
        started = time.process_time()
        result = api.run(
            recipe_from_dict(content), folder, store=Store.open(folder=folder / "home")
        )
        seconds = time.process_time() - started
    told = {name: round(result.metrics["tuned"][name], 5) for name in ("accuracy", "macro_f1")}
    return {"rows": len(places), "seconds": round(seconds, 1), **told}


if __name__ == "__main__":
    fill("ordinary", CELLS, measure)
