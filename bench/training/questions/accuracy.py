"""Test accuracy of the default recipe, without tuning, against Trainer and TF-IDF."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ledger import Ledger, Row
from questions.models import encoder
from workers import DATA, WORK, Settings, once, surroundings

LEXICAL = "TF-IDF + logistic regression"
TRAINERS: dict[str, dict[str, Any]] = {
    "transformers Trainer + PEFT, defaults (3 epochs at 5e-5), batch 32, length grouping": {},
    "transformers Trainer, defaults, every parameter trained (3 epochs at 5e-5, batch 8), "
    "length grouping": {"adapter": False, "batch": 8},
}
PEERS = (LEXICAL, *TRAINERS)
TEST_ROWS = 1000


@dataclass(frozen=True)
class Part:
    """How much of a set everybody gets; `words` cuts every text."""

    name: str
    train: int = 1000
    words: int | None = None

    @property
    def what(self) -> str:
        """The line's name."""
        cut = f", first {self.words} words of each text" if self.words else ""
        return f"test accuracy, default recipe, {self.name}, {self.train} training rows{cut}"

    @property
    def folder(self) -> str:
        """Where its rows lie."""
        return f"{self.name}-{self.train}"


SETS = (
    Part("sms_spam"),
    Part("twitter_financial_sentiment"),
    Part("banking77"),
    Part("medical_abstracts", 500, 60),
    Part("clinc150"),
)
QUICK = Part("sms_spam", train=64)


def measure(ledger: Ledger, settings: Settings) -> None:
    """A line for each set and peer: the same training and test rows for all."""
    for part in (QUICK,) if settings.quick else SETS:
        missing = [peer for peer in PEERS if not ledger.has(part.what, peer)]
        if not missing:
            continue
        place = _rows(part, 40 if settings.quick else TEST_ROWS)
        rows = len((place / "test.jsonl").read_text(encoding="utf-8").strip("\n").split("\n"))
        theirs = {peer: _kept(peer, place, settings) for peer in missing}
        ours = _ours(place, settings.threads)
        for peer in missing:
            ledger.add(_row((part.what, peer), ours, theirs[peer], rows))


def _kept(peer: str, place: Path, settings: Settings) -> float:
    """The peer's accuracy, from an earlier call where there is one: no change of ours moves it."""
    file = place / "peers.json"
    known = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    if settings.quick or peer not in known:
        known[peer] = _theirs(peer, place, settings.threads)
        file.write_text(json.dumps(known, indent=1), encoding="utf-8")
    return float(known[peer])


def _rows(part: Part, test_rows: int) -> Path:
    """Evenly spaced rows of a set in a folder of their own."""
    place = WORK / "accuracy" / part.folder
    place.mkdir(parents=True, exist_ok=True)
    wanted = {"train": part.train, "validation": 300, "test": test_rows}
    for name, rows in wanted.items():
        file = DATA / part.name / f"{name}.jsonl"
        lines = file.read_text(encoding="utf-8").strip("\n").split("\n")
        step = max(1.0, len(lines) / rows)
        chosen = [json.loads(lines[int(i * step)]) for i in range(min(rows, len(lines)))]
        plain = [
            json.dumps({"text": " ".join(c["text"].split(" ")[: part.words]), "label": c["label"]})
            for c in chosen
        ]
        (place / f"{name}.jsonl").write_text("\n".join(plain) + "\n", encoding="utf-8")
    return place


def _ours(place: Path, threads: int) -> float:
    """What `luthier run` says of the sealed test rows; the run stays in the part's own folder."""
    recipe = place / "recipe.yaml"
    recipe.write_text("data:\n  train: .\n  allow_leakage: true\n", encoding="utf-8")
    luthier = str(Path(sys.executable).with_name("luthier"))
    with (place / "run.log").open("w", encoding="utf-8") as log:
        done = subprocess.run(
            [luthier, "run", str(recipe), "--json"],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env=surroundings(threads) | {"LUTHIER_HOME": str(place / "home")},
        )
    if done.returncode:
        raise RuntimeError((place / "run.log").read_text(encoding="utf-8")[-2000:])
    last = done.stdout.strip().splitlines()[-1]
    (place / "run.json").write_text(last + "\n", encoding="utf-8")
    return float(json.loads(last)["metrics"]["tuned"]["accuracy"])


def _theirs(peer: str, place: Path, threads: int) -> float:
    given: dict[str, Any] = {"data": str(place), "threads": threads}
    if peer == LEXICAL:
        return float(once("theirs/lexical.py", given, threads)["accuracy"])
    given |= {"model": encoder(), "sampling": "group_by_length", "epochs": 3, "rate": 5e-5}
    given |= {"points": 1, "name": f"accuracy-{place.name}"} | TRAINERS[peer]
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
