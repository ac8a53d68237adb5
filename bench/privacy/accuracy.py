"""What privacy costs in accuracy, beside Opacus at the same epsilon, updates and model.

    python bench/privacy/accuracy.py            # every run that is missing, then accuracy.json
    python bench/privacy/accuracy.py --only sms_spam-2000
    python bench/privacy/accuracy.py --quick    # few rows and updates; keeps nothing

Each run's accuracy is kept in work/accuracy as soon as it is known. Data sets lie in
$LUTHIER_DATA, Opacus in the peers' environment (see README.md).
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
DATA = Path(os.environ.get("LUTHIER_DATA", HERE.parents[2] / "shared" / "data"))
PEERS = Path(os.environ.get("LUTHIER_PEERS", HERE / ".env"))
WORK, KEPT = HERE / "work" / "accuracy", HERE / "accuracy.json"
SETS = (
    ("sms_spam", 2_000),
    ("twitter_financial_sentiment", 2_000),
    ("twitter_financial_sentiment", 8_000),
    ("snips", 2_000),
    ("banking77", 2_000),
    ("banking77", 8_000),
)
REPORTED = ("banking77",)
"""Sets whose gap has no bound."""
PEERS_UP_TO, TEST = 2_000, 1_000
"""Training rows up to which the peer runs too, and test rows."""
MODEL = ("adapter.top_layers=2", "adapter.rank=16")
OURS: dict[str, tuple[str, ...]] = {
    "plain": (),
    "epsilon 8": ("safety.privacy.epsilon=8",),
    "epsilon 3": ("safety.privacy.epsilon=3",),
}
RATES = (0.001136, 0.005)
"""Rates of the peer: that of ours, and a higher one; the better of the two counts."""


def main() -> None:
    """Runs what is missing and writes the lines."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", choices=[f"{name}-{rows}" for name, rows in SETS])
    given = parser.parse_args()
    chosen = [one for one in SETS if given.only in (None, f"{one[0]}-{one[1]}")]
    for name, rows in SETS[:1] if given.quick else chosen:
        folder = WORK / ("quick" if given.quick else f"{name}-{rows}")
        place = rows_of(name, 256 if given.quick else rows, folder)
        for label, changes in OURS.items():
            force = ("safety.privacy.force=true",) if changes and given.quick else ()
            known(place, label, partial(ours, place, changes + force), given.quick)
        for rate in RATES if rows <= PEERS_UP_TO else ():
            known(place, f"Opacus {rate:g}", partial(theirs, place, rate), given.quick)
    if not given.quick:
        told = merged(line for name, rows in SETS for line in lines(name, rows))
        KEPT.write_text(json.dumps({"rows": told}, indent=1) + "\n", encoding="utf-8")


def merged(told: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """These lines in place of those of the same name, and every other line that was kept: the
    runs behind them may lie on another machine."""
    before = json.loads(KEPT.read_text(encoding="utf-8"))["rows"] if KEPT.is_file() else []
    found = {(line["what"], line["peer"]): line for line in told}
    kept = [found.pop((line["what"], line["peer"]), line) for line in before]
    return [*kept, *found.values()]


def rows_of(name: str, count: int, place: Path) -> Path:
    """Evenly spaced rows of a set in a folder of their own."""
    place.mkdir(parents=True, exist_ok=True)
    for part, most in (("train", count), ("test", TEST)):
        text = (DATA / name / f"{part}.jsonl").read_text(encoding="utf-8")
        found = [json.loads(line) for line in text.strip("\n").split("\n")]
        step = max(1.0, len(found) / most)
        chosen = [found[int(i * step)] for i in range(min(most, len(found)))]
        plain = [json.dumps({"text": r["text"], "label": str(r["label"])}) for r in chosen]
        (place / f"{part}.jsonl").write_text("\n".join(plain) + "\n", encoding="utf-8")
    return place


def known(place: Path, label: str, measure: Any, quick: bool) -> None:
    """Measures once and keeps the accuracy."""
    file = place / "accuracies.json"
    found = json.loads(file.read_text(encoding="utf-8")) if file.exists() and not quick else {}
    if label in found:
        return
    found[label] = measure()
    print(place.name, label, found[label], flush=True)
    # Another process may have written its own meanwhile.
    newest = json.loads(file.read_text(encoding="utf-8")) if file.exists() and not quick else {}
    file.write_text(json.dumps(newest | {label: found[label]}, indent=1), encoding="utf-8")


def ours(place: Path, changes: tuple[str, ...]) -> float:
    """What `luthier run` says of the test rows."""
    recipe = {"task": "classify", "data": {"train": str(place / "train.jsonl"),
              "test": str(place / "test.jsonl"), "allow_leakage": True}}  # fmt: skip
    (place / "recipe.yaml").write_text(json.dumps(recipe), encoding="utf-8")
    command = [str(Path(sys.executable).with_name("luthier")), "run", str(place / "recipe.yaml")]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "LUTHIER_HOME": str(place / "home")}
    done = subprocess.run([*command, "--json", *MODEL, *changes], capture_output=True, text=True,
                          env=environment, check=False)  # fmt: skip
    if done.returncode:
        raise SystemExit(done.stdout[-1000:] + done.stderr[-1000:])
    told = json.loads(done.stdout.strip().splitlines()[-1])
    return float(told["metrics"]["tuned"]["accuracy"])


def theirs(place: Path, rate: float) -> float | None:
    """What Opacus reaches with the rows, passes, batch and epsilon of ours; None without it."""
    from luthier.models.places import locate

    python = PEERS / "bin" / "python"
    if not python.exists():
        print(f"{python} is missing: pip install opacus==1.6.0 peft transformers into it")
        return None
    script = str(HERE / "theirs_accuracy.py")
    done = subprocess.run(
        [str(python), "-W", "ignore", script, str(place), str(rate), locate("embedded:encoder")],
        capture_output=True, text=True, check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    return float(json.loads(done.stdout.strip().splitlines()[-1])["accuracy"])


def lines(name: str, trained: int) -> list[dict[str, Any]]:
    """The lines of a set whose runs are all there."""
    place = WORK / f"{name}-{trained}"
    file = place / "accuracies.json"
    found = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    if not set(OURS) <= set(found):
        return []
    rows = len((place / "test.jsonl").read_text(encoding="utf-8").splitlines())
    made = []
    for epsilon, bound, aim in ((8, 0.025, 0.015), (3, None, 0.03)):
        private = found[f"epsilon {epsilon}"]
        gap, ends = difference(found["plain"], private, rows)
        free = name in REPORTED or bound is None
        made.append({
            "what": f"test accuracy lost to privacy at epsilon {epsilon}, {name}, {trained} "
            "training rows, LoRA r=16 on the top 2 layers of MiniLM",
            "peer": "ours without privacy", "ours": private, "theirs": found["plain"],
            "ratio": round(gap, 4), "interval": ends,
            "must": "—" if free else f"at most {bound} lost",
            "aim": "—" if name in REPORTED else f"at most {aim} lost",
            "met": free or gap <= float(bound or 1),
        })  # fmt: skip
    peers = [found.get(f"Opacus {rate:g}") for rate in RATES]
    if None not in peers:
        best = max(float(p) for p in peers if p is not None)
        ahead, ends = difference(found["epsilon 8"], best, rows)
        made.append({
            "what": f"test accuracy at epsilon 8, {name}, {trained} training rows, LoRA r=16 on "
            "the top 2 layers of MiniLM, same passes and batch",
            "peer": "Opacus 1.6, the better of two rates", "ours": found["epsilon 8"],
            "theirs": best, "ratio": round(found["epsilon 8"] / best, 4), "interval": ends,
            "must": "never below beyond the interval of the difference", "aim": "above",
            "met": ahead + (ends[1] - ends[0]) / 2 >= 0,
        })  # fmt: skip
    return made


def difference(first: float, second: float, rows: int) -> tuple[float, list[float]]:
    """`first` less `second` with its 95 % interval, the two taken as independent samples."""
    spread = 1.96 * math.sqrt((first * (1 - first) + second * (1 - second)) / rows)
    gap = first - second
    return gap, [round(gap - spread, 4), round(gap + spread, 4)]


if __name__ == "__main__":
    main()
