"""How often a planted trigger is named, and what clean data are accused of; see README.md.

    python bench/poison/run.py [--quick]

Answers are kept in work/, so that a run that was stopped goes on. --quick tries one trigger on one
set and keeps nothing.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import sys
from pathlib import Path
from typing import Any

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "training"), str(HERE.parent / "fewshot")]

import numpy as np  # noqa: E402
from ledger import keep_results  # noqa: E402
from onion import likeliest_trigger  # noqa: E402
from planting import TRIGGERS, Planted, named, read, with_flips, with_trigger  # noqa: E402
from sets import Vectors  # noqa: E402

from luthier.core.types import Task  # noqa: E402
from luthier.models.base import BaseSpec, load_base  # noqa: E402
from luthier.safety.detector import Evidence  # noqa: E402
from luthier.safety.detectors.flipped import FlippedLabels  # noqa: E402
from luthier.safety.detectors.triggers import PlantedTriggers  # noqa: E402
from luthier.safety.poison.insertion import exact  # noqa: E402
from luthier.safety.poison.likelihood import Likelihood  # noqa: E402

DATA = Path(os.environ.get("LUTHIER_DATA", HERE.parents[2] / "shared" / "data"))
SETS = ("sms_spam", "twitter_financial_sentiment", "banking77")
RATES, SEEDS, ROWS = (0.01, 0.02, 0.05), (0, 1, 2), 3000
ONION_ROWS, ONION_SETS = 150, SETS[:2]
QUESTION = (
    "Is a trigger that was planted into training data named before training, and how often are "
    "clean data accused?"
)


class Reading:
    """The embedded encoder's vectors of rows, as a run has them; those of clean rows are kept."""

    def __init__(self) -> None:
        self._reader, self._clean = Vectors(), {}

    def of(self, clean: Planted, planted: Planted) -> Evidence:
        """What the detectors see of these rows."""
        if id(clean) not in self._clean:
            self._clean[id(clean)] = self._reader.of(clean.texts)
        vectors = self._clean[id(clean)].copy()
        changed = [i for i, t in enumerate(planted.texts) if t != clean.texts[i]]
        if changed:
            vectors[np.array(changed)] = self._reader.of([planted.texts[i] for i in changed])
        return Evidence(planted.texts, planted.labels, features=vectors.astype(np.float32))


def ours(planted: Planted, evidence: Evidence) -> dict[str, Any]:
    """Whether the surest suspicion is the trigger, and how many others there are."""
    found = PlantedTriggers().find(evidence)
    mine = [named(s.trigger, planted.trigger) for s in found]
    rows = set(itertools.chain(*(s.rows for s, own in zip(found, mine, strict=True) if own)))
    return {
        "first": bool(mine and mine[0]),
        "any": any(mine),
        "others": mine.count(False),
        "rows_found": len(rows & planted.places) / max(1, len(planted.places)),
    }


def onion(planted: Planted, nats: Likelihood, seed: int) -> dict[str, Any]:
    """The same of the perplexity baseline, which is shown every planted row among 150."""
    dice = random.Random(seed)
    rows = sorted(planted.places)[: ONION_ROWS // 3]
    others = [i for i in range(len(planted.texts)) if i not in planted.places]
    rows += dice.sample(others, ONION_ROWS - len(rows))
    word = likeliest_trigger([planted.texts[i] for i in rows], nats)
    return {"first": named(word, planted.trigger), "word": word}


def flipped(planted: Planted, evidence: Evidence) -> dict[str, Any]:
    """Precision and recall of the rows that are said to be labelled wrongly."""
    found = FlippedLabels().find(evidence)
    rows = set(itertools.chain(*(s.rows for s in found)))
    hits = len(rows & planted.places)
    return {"hits": hits, "named": len(rows), "planted": len(planted.places)}


def kept(name: str, work: Path | None, make: Any) -> Any:
    """What `make` gives, from work/ where it is there already."""
    file = work / f"{name}.json" if work else None
    if file is not None and file.is_file():
        return json.loads(file.read_text(encoding="utf-8"))
    made = make()
    if file is not None:
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(made), encoding="utf-8")
    print(name, made, flush=True)
    return made


def row(what: str, mine: list[bool], peer: str = "none", theirs: float | None = None) -> dict:
    """A line of the table for a share that must reach 0.9."""
    share = exact(sum(mine), len(mine))
    return {
        "what": what,
        "peer": peer,
        "ours": round(share.value, 3),
        "theirs": theirs,
        "ratio": None,
        "interval": [round(share.low, 3), round(share.high, 3)],
        "must": "at least 0.9",
        "aim": "—",
        "met": share.value >= 0.9,
    }


def told(what: str, value: float) -> dict[str, Any]:
    """A line that is reported without a demand."""
    return {
        "what": what, "peer": "none", "ours": round(value, 3), "theirs": None, "ratio": None,
        "interval": None, "must": "reported", "aim": "—", "met": True,
    }  # fmt: skip


def main() -> None:
    """Runs everything and writes results.json."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    sets, triggers = (SETS[:1], TRIGGERS[:1]) if quick else (SETS, TRIGGERS)
    rates, seeds = ((0.02,), (0,)) if quick else (RATES, SEEDS)
    work = None if quick else HERE / "work"
    nats = Likelihood(load_base(BaseSpec("embedded:causal"), Task.ADAPT))
    clean = {name: read(DATA / name / "train.jsonl", ROWS) for name in sets}
    see = Reading()
    mine: dict[tuple, dict] = {}
    peer: list[bool] = []
    for case in itertools.product(sets, triggers, rates, seeds):
        name, trigger, rate, seed = case
        planted = with_trigger(clean[name], trigger, rate, seed)
        label = f"{name}-{TRIGGERS.index(trigger)}-{rate}-{seed}"
        mine[case] = kept(
            f"ours-{label}", work, lambda p=planted, c=clean[name]: ours(p, see.of(c, p))
        )
        if rate == 0.02 and seed == 0 and name in ONION_SETS:
            made = kept(f"onion-{label}", work, lambda p=planted, s=seed: onion(p, nats, s))
            peer.append(made["first"])
    rows = []
    for rate in rates:
        part = [v["first"] for c, v in mine.items() if c[2] == rate]
        against = "ONION-like" if rate == 0.02 else "none"
        theirs = round(sum(peer) / len(peer), 3) if rate == 0.02 else None
        rows.append(row(f"trigger named first, {rate:.0%} of rows planted", part, against, theirs))
    for name in sets:
        part = [v["first"] for c, v in mine.items() if c[0] == name]
        rows.append(row(f"trigger named first, {name}", part))
    for name in sets:
        whole = clean[name]
        accused = kept(f"clean-{name}", work, lambda c=whole: ours(c, see.of(c, c)))["others"]
        rows.append(told(f"phrases accused in {len(whole.texts)} clean rows, {name}", accused))
        wrong = with_flips(whole, 0.05, 0)
        found = kept(f"flips-{name}", work, lambda w=wrong, c=whole: flipped(w, see.of(c, w)))
        rows.append(told(f"flipped labels found (5 %), {name}", found["hits"] / found["planted"]))
        right = found["hits"] / max(1, found["named"])
        rows.append(told(f"of rows called flipped, really flipped, {name}", right))
    print(json.dumps(rows, indent=1))
    if not quick:
        keep_results(HERE, QUESTION, "python bench/poison/run.py", rows)


if __name__ == "__main__":
    main()
