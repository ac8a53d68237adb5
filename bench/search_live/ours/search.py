"""`luthier tune` through the Python API: the trajectory of its incumbent, and its last choice."""

from __future__ import annotations

import json
import re
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gate import Gate

from luthier.core.progress import Silence
from luthier.recipe.load import recipe_from_dict
from luthier.search.trial import Slice
from luthier.stages.api import tune
from luthier.stages.tuning.rows import Halves
from luthier.stages.tuning.shared import SharedBase
from luthier.stages.workshop import set_up
from luthier.store.store import Store
from recipe import recipe

SET_UP = 0.1
"""Share of the time left for what a search does after its last trial: its own budget counts from
the first look at the task to the last trial."""


@dataclass
class Watch:
    """Listens to the progress of a run and keeps the parameters of each new incumbent."""

    home: Path
    place: Path
    started: float
    incumbents: list[dict[str, Any]] = field(default_factory=list)
    marks: dict[str, float] = field(default_factory=dict)
    open_trials: int = 0
    _seen: tuple[Any, ...] = ()

    @property
    def elapsed(self) -> float:
        """Seconds since the process of the search was started."""
        return time.time() - self.started

    def start(self, name: str, total: int | None = None, unit: str = "") -> None:
        """Notes when each part began; the last evaluation begins after the choice."""
        self.marks.setdefault(name.partition(" (")[0], self.elapsed)
        if name == "the last evaluation":
            shutil.copytree(self._best(), self.place / "chosen")

    def advance(self, units: int = 1, note: str = "") -> None:
        """After each slice of the search its incumbent stands in the note."""
        if (found := re.search(r"\((\w+)\), (\d+) trials open", note)) is None:
            return
        self.open_trials = max(self.open_trials, int(found[2]))
        best = self._best() / found[1]
        about = _about(best)
        if (found[1], about["step"]) == self._seen:
            return
        self._seen = (found[1], about["step"])
        shutil.copytree(best, self.place / "kept" / str(len(self.incumbents)))
        self.incumbents.append({"at": self.elapsed, "trial": found[1], **about})

    def say(self, message: str) -> None:
        """Not needed."""

    def _best(self) -> Path:
        run = next(p for p in (self.home / "runs").iterdir() if (p / "search").is_dir())
        return run / "search" / "best"


def main() -> None:
    """Answers the trajectory."""
    gate = Gate()
    given, place = gate.given, Path(gate.given["place"])
    torch.set_num_threads(given["threads"])
    watch = Watch(place / "home", place, given["started"])
    seconds = given["seconds"] - watch.elapsed
    budget = f"{max(1, round((1 - SET_UP) * seconds))}s"
    with_search = recipe_from_dict(recipe(given, budget), given["task"])
    done = tune(with_search, place, watch, Store.open(folder=watch.home))
    assert done.search is not None
    ended = watch.marks["the last evaluation"]
    configs = {t["id"]: t["config"] for t in done.search["trials"]}
    kept = [(place / "kept" / str(i), e) for i, e in enumerate(watch.incumbents)]
    winner = done.search["winner"]
    last = {"at": ended, "trial": winner, **_about(place / "chosen" / winner)}
    kept.append((place / "chosen" / winner, last))
    score(given, place, kept, configs)
    gate.tell(
        trajectory=[event for _, event in kept],
        test=done.metrics["tuned"]["accuracy"],
        ended=ended,
        trials=len(configs),
        budget=budget,
        marks=watch.marks,
        open_trials=watch.open_trials,
        search={k: v for k, v in done.search.items() if k != "importance"},
        metrics=done.metrics,
    )


def _about(folder: Path) -> dict[str, Any]:
    """Score and updates of the parameters in a folder."""
    about: dict[str, Any] = json.loads((folder / "best.json").read_text(encoding="utf-8"))
    return about


def score(
    given: dict[str, Any], place: Path, kept: list[tuple[Path, dict[str, Any]]], configs: Any
) -> None:
    """Adds to each event the accuracy of its parameters on the check rows."""
    plain = recipe(given)
    plain["data"]["validation"] = "check.jsonl"
    plain["evaluate"]["probe"] = False
    loaded = recipe_from_dict(plain, "check")
    shop = set_up(loaded, place, place / "check", None, Silence())
    rows = shop.part(shop.prepared.splits.validation)
    shared = SharedBase.begin(shop, place / "check", Halves(rows[:4], rows), "accuracy")
    for number, (folder, event) in enumerate(kept):
        name = f"k{number}"
        shutil.copytree(folder, shared.best.folder / name)
        found = shared.confirm(Slice(name, configs[event["trial"]], 0))
        assert found.right is not None and len(found.right) == len(np.unique(rows))
        event["check"] = found.score


if __name__ == "__main__":
    main()
