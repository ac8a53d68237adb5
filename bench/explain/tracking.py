"""What does following explanations cost a training? CPU seconds of looks beside all others."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

SETS = ("twitter_financial_sentiment", "davidson_hate_offensive")
STEPS = 100
MOST = 0.2


def measure(folder: Path, steps: int = STEPS) -> dict[str, Any]:
    """A whole run on the rows in `folder` that is followed, as often as its recipe's share allows;
    CPU seconds of the loop, and of the looks in it."""
    from luthier.recipe.load import recipe_from_dict
    from luthier.stages import api, training
    from luthier.stages.explaining.tracking.track import TrackExplanations
    from luthier.store.store import Store

    spent = {"loop": 0.0, "in looks": 0.0}

    def timed(name: str, work: Any) -> Any:
        def run(*given: Any, **named: Any) -> Any:
            begun = time.process_time()
            try:
                return work(*given, **named)
            finally:
                spent[name] += time.process_time() - begun

        return run

    plain = training.fit, TrackExplanations._look
    training.fit = timed("loop", plain[0])  # type: ignore[assignment]
    TrackExplanations._look = timed("in looks", plain[1])  # type: ignore[method-assign]
    try:
        content = {
            "task": "classify",
            "data": {p: f"{p}.jsonl" for p in ("train", "validation", "test")},
            "adapter": {"kind": "lora", "rank": 8},
            "train": {"max_steps": steps},
            "evaluate": {"draws": 100, "track": {}},
        }
        made = api.run(
            recipe_from_dict(content), folder, store=Store.open(folder=folder / "tracked")
        )
    finally:
        training.fit, TrackExplanations._look = plain  # type: ignore[method-assign]
    told = json.loads((made.path / "track.json").read_text(encoding="utf-8"))
    last = told["looks"][-1]
    return {
        "looks": len(told["looks"]),
        "updates": last["step"],
        "moved": last["moved"],
        "words": [one["word"] for one in told["words"]],
        "leans": [o["word"] for o in told["shortcuts"] if o["verdict"] == "shortcut"],
        **spent,
    }


def rows(found: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """One for each set."""
    told = []
    for name, one in found.items():
        rest = one["loop"] - one["in looks"]
        share = one["in looks"] / rest
        told.append(
            {
                "what": f"CPU time of {one['looks']} looks beside the rest of "
                f"{one['updates']} updates, {name}",
                "peer": "the same training, not followed", "ours": one["loop"],
                "theirs": rest, "ratio": share,
                "interval": None, "must": "at most 0.2", "aim": "0.1", "met": share <= MOST,
            }
        )  # fmt: skip
    return told
