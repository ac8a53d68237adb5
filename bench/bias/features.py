"""The texts of the bench and what a frozen encoder makes of each; run once, kept, resumable."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
DATA = Path(os.environ.get("LUTHIER_DATA", HERE.parents[2] / "shared" / "data"))
WORK = HERE / "work"
BLOCK = 1024
SET = "davidson_hate_offensive"


def rows_of(part: str) -> tuple[list[str], list[str]]:
    """Texts and labels of a part of the set."""
    lines = (DATA / SET / f"{part}.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    return [str(r["text"]) for r in rows], [str(r["label"]) for r in rows]


@dataclass
class Kept:
    """Vectors (D,) of texts, in one file that grows block by block."""

    file: Path
    known: dict[str, np.ndarray]

    @staticmethod
    def open() -> Kept:
        """What earlier calls kept."""
        WORK.mkdir(exist_ok=True)
        known: dict[str, np.ndarray] = {}
        for file in sorted(WORK.glob("block-*.npz")):
            with np.load(file, allow_pickle=False) as block:
                known |= dict(zip(block["texts"].tolist(), block["vectors"], strict=True))
        return Kept(WORK, known)

    def fill(self, texts: list[str], seconds: float) -> int:
        """Adds vectors of new texts until the time is spent; how many are still missing."""
        from luthier.stages.parts.answers import features

        wanted = [t for t in dict.fromkeys(texts) if t not in self.known]
        if not wanted:
            return 0
        network, contract, plan = _encoder()
        ends = time.monotonic() + seconds
        while wanted and time.monotonic() < ends:
            block, wanted = wanted[:BLOCK], wanted[BLOCK:]
            vectors = features(network, _exam(block, contract, plan))
            number = len(list(WORK.glob("block-*.npz")))
            np.savez(WORK / f"block-{number:03d}.npz", texts=np.asarray(block), vectors=vectors)
            self.known |= dict(zip(block, vectors, strict=True))
            print(f"{len(self.known)} texts kept, {len(wanted)} missing", flush=True)
        return len(wanted)

    def vectors(self, texts: list[str]) -> np.ndarray:
        """Vectors of texts (N, D)."""
        return np.stack([self.known[t] for t in texts])


def _encoder() -> Any:
    from luthier.core.progress import Silence
    from luthier.core.types import Task
    from luthier.data.feed.batches import BatchPlan
    from luthier.models.base import stated_pooling
    from luthier.models.network import Network
    from luthier.recipe.load import recipe_from_dict
    from luthier.stages.workshop import open_base, open_contract, pad_id

    recipe = recipe_from_dict({"task": "classify", "data": {"train": "none"}})
    base = open_base(recipe, Task.CLASSIFY, Silence())
    network = Network(base.network, None, stated_pooling(base), base.kind)
    return network, open_contract(recipe, base, Task.CLASSIFY), BatchPlan(64, 0, pad_id(base))


def _exam(texts: list[str], contract: Any, plan: Any) -> Any:
    from luthier.core.types import Task
    from luthier.data.feed.example import encode_texts
    from luthier.stages.parts.answers import Exam
    from luthier.stages.predicting import without_truth

    encoded = without_truth(encode_texts(texts, contract, with_offsets=False), Task.CLASSIFY)
    return Exam(encoded, np.arange(len(texts)), None, plan)  # type: ignore[arg-type]
