"""Test accuracy of the default recipe, without tuning, against Trainer and TF-IDF."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from ledger import Ledger, Row
from questions.models import encoder
from workers import DATA, WORK, Settings, once, surroundings

SETS = (
    "sms_spam",
    "twitter_financial_sentiment",
    "medical_abstracts",
    "banking77",
    "clinc150",
)
TRAINER = "transformers Trainer + PEFT, defaults (3 epochs at 5e-5)"
LEXICAL = "TF-IDF + logistic regression"
TRAIN_ROWS, TEST_ROWS = 1000, 1000


def measure(ledger: Ledger, settings: Settings) -> None:
    """Two lines for each set: the same training and test rows for all three."""
    for name in SETS[:1] if settings.quick else SETS:
        what = f"test accuracy, default recipe, {name}, up to {TRAIN_ROWS} training rows"
        missing = [peer for peer in (LEXICAL, TRAINER) if not ledger.has(what, peer)]
        if not missing:
            continue
        place = _part(name, 64 if settings.quick else TRAIN_ROWS)
        ours = _ours(place, settings.threads)
        rows = len((place / "test.jsonl").read_text(encoding="utf-8").splitlines())
        for peer in missing:
            theirs = _theirs(peer, place, settings.threads)
            ledger.add(_row((what, peer), ours, theirs, rows))


def _part(name: str, train_rows: int) -> Path:
    """Evenly spaced rows of a set in a folder of their own."""
    place = WORK / "accuracy" / name
    place.mkdir(parents=True, exist_ok=True)
    wanted = {"train": train_rows, "validation": train_rows // 5, "test": TEST_ROWS}
    for part, rows in wanted.items():
        lines = (DATA / name / f"{part}.jsonl").read_text(encoding="utf-8").splitlines()
        step = max(1.0, len(lines) / rows)
        chosen = [lines[int(i * step)] for i in range(min(rows, len(lines)))]
        plain = [json.dumps({k: json.loads(c)[k] for k in ("text", "label")}) for c in chosen]
        (place / f"{part}.jsonl").write_text("\n".join(plain) + "\n", encoding="utf-8")
    return place


def _ours(place: Path, threads: int) -> float:
    """What `luthier run` says of the sealed test rows."""
    recipe = place / "recipe.yaml"
    recipe.write_text("data:\n  train: .\n  allow_leakage: true\n", encoding="utf-8")
    home = WORK / "home"
    shutil.rmtree(home, ignore_errors=True)
    command = [str(Path(sys.executable).with_name("luthier")), "run", str(recipe), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, env=surroundings(threads))
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return float(found["metrics"]["tuned"]["accuracy"])


def _theirs(peer: str, place: Path, threads: int) -> float:
    given: dict[str, Any] = {"data": str(place), "threads": threads}
    if peer == LEXICAL:
        return float(once("theirs/lexical.py", given, threads)["accuracy"])
    given |= {"model": encoder(), "sampling": "random", "epochs": 3, "rate": 5e-5}
    given["name"] = f"trainer-{place.name}"
    return float(once("theirs/reach.py", given, threads)["curve"][-1]["accuracy"])


def _row(names: tuple[str, str], ours: float, theirs: float, rows: int) -> Row:
    """The difference with its 95 % interval, the two taken as independent samples."""
    spread = 1.96 * math.sqrt((ours * (1 - ours) + theirs * (1 - theirs)) / rows)
    gap = ours - theirs
    return Row(
        *names,
        round(ours, 4),
        round(theirs, 4),
        round(ours / theirs, 3) if theirs else None,
        (round(gap - spread, 4), round(gap + spread, 4)),
        "not below beyond the interval of the difference",
        "above",
        gap + spread >= 0,
    )
