"""The ladder with the encoder that it may tune, on the draws of run.py; cells lie in cells/.

python bench/fewshot/tuned.py [--minutes 30]
"""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from run import FROZEN, drawn, fill, known_of, metrics_on
from sets import Set, Vectors

from luthier.core.progress import Silence
from luthier.data.feed.example import encode_texts
from luthier.fewshot.choosing.choose import choose
from luthier.fewshot.rung import Asked
from luthier.fewshot.rungs.family import ladder
from luthier.fewshot.rungs.tuned import TunedStack
from luthier.fewshot.tuning.encoder import Tunable

TWITTER = "twitter_financial_sentiment"
CELLS = (
    *((name, budget, 0) for budget in ("16", "8") for name in ("snips", TWITTER)),
    (TWITTER, "10 %", 0),
    ("sentfin", "10 %", 0),
    ("medical_abstracts", "16", 0),
    ("banking77", "8", 0),
    ("mts_dialog", "10 %", 0),
    ("snips", "10 %", 0),
    ("banking77", "10 %", 0),
    ("medical_abstracts", "8", 0),
    *((name, b, seed) for seed in (1, 2) for b in ("16", "8") for name in ("snips", TWITTER)),
    *((name, budget, 0) for budget in ("32", "64") for name in ("snips", TWITTER, "sentfin")),
    *(("medical_abstracts", budget, seed) for seed in (1, 2) for budget in ("16", "8")),
    *(("banking77", "8", seed) for seed in (1, 2)),
    ("medical_abstracts", "64", 0),
    ("goemotions", "32", 0),
)
"""Set, budget and draw, those first that tell most."""


def tokenised(reader: Vectors, asked: Asked) -> Asked:
    """The texts with their tokens."""
    found = encode_texts(list(asked.texts), reader.contract, False)
    return replace(asked, tokens=[np.asarray(each.ids[0], np.int64) for each in found])


def measure(found: Set, budget: str, seed: int, reader: Vectors) -> dict[str, Any]:
    """What the ladder chose and reached, whether or not it took the tuned rung, and its cost."""
    known = known_of(found, drawn(found, budget, seed), seed)
    untuned = replace(known)
    parts = {n: tokenised(reader, getattr(known, n)) for n in ("rows", "described", "pool")}
    known = replace(known, encoder=Tunable(reader.base, 0), **parts)  # type: ignore[arg-type]
    begun = time.process_time()
    for part in (known.rows, known.described, known.pool):
        reader.of(list(part.texts))
    reading = time.process_time() - begun
    test = tokenised(reader, Asked(found.test.texts, found.test.vectors.astype(float)))
    started = time.process_time()
    choice = choose(known, ladder(), "accuracy", Silence())
    seconds = time.process_time() - started
    started = time.process_time()
    frozen = choose(untuned, FROZEN, "accuracy", Silence())
    without = time.process_time() - started
    cell: dict[str, Any] = {
        "rows": len(known.rows), "rung": choice.rung, "seconds": round(seconds, 1),
        "reading": round(reading, 1),
        "ladder": metrics_on(found, choice.fitted.probabilities(test)),
        "frozen": metrics_on(found, frozen.fitted.probabilities(test)) | {"seconds": without},
        "decisions": [d for d in choice.as_dict()["decisions"] if d["rung"] == "tuned"],
    }  # fmt: skip
    rung = TunedStack()
    if not rung.refusal(known):
        tuned, plain = known.made(rung).probabilities(test), frozen.fitted.probabilities(test)
        cell["tuned"] = metrics_on(found, tuned)
        cell["both"] = metrics_on(found, (tuned + plain) / 2)
    return cell


if __name__ == "__main__":
    fill("tuned", CELLS, partial(measure, reader=Vectors()))
