"""Time until the test accuracy that Trainer reaches at its end, on part of two sets of intents."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ledger import Ledger, Row
from questions.models import encoder
from workers import DATA, WORK, Settings, once

NAMES = {
    "group_by_length": "transformers Trainer + PEFT, length grouping",
    "random": "transformers Trainer + PEFT, order at its default",
}
BOUNDS = {"random": (4.0, 10.0), "group_by_length": (2.0, 4.0)}
SETS = {"Banking77": "banking77", "clinc150": "clinc150"}
TRAIN, TEST, EPOCHS, OWN, POINTS = 1000, 600, 10, 3, 10
CLOCKS = {"wall": "seconds", "cpu": "CPU seconds"}


def what(clock: str, name: str) -> str:
    """The line's name."""
    return (
        f"{CLOCKS[clock]} to the same test accuracy, {name}, {TRAIN} training rows, "
        f"{EPOCHS} epochs at learning rate 5e-4 for the peer; probe, top 3 layers and kept prefix "
        "for ours; one repetition"
    )


def measure(ledger: Ledger, settings: Settings) -> None:
    """Two lines for each set and peer; ours is read where it passes their accuracy."""
    for name, folder in list(SETS.items())[: 1 if settings.quick else None]:
        missing = {
            sampling: peer
            for sampling, peer in NAMES.items()
            if not all(ledger.has(what(clock, name), peer) for clock in CLOCKS)
        }
        if not missing:
            continue
        place = _rows(folder, settings.quick)
        shared: dict[str, Any] = {"threads": settings.threads, "data": str(place)}
        for sampling, peer in missing.items():
            # Ours runs beside each peer, so that both meet the same load of the machine.
            ours = once("ours/reach.py", shared | {"recipe": RECIPE}, settings.threads)["curve"]
            given = shared | {"model": encoder(), "sampling": sampling, "epochs": EPOCHS}
            given |= {"name": f"reach-{folder}-{sampling}", "points": POINTS}
            theirs = once("theirs/reach.py", given, settings.threads)["curve"]
            (place / f"{sampling}.json").write_text(json.dumps([ours, theirs]), encoding="utf-8")
            for clock in CLOCKS:
                names = (what(clock, name), peer)
                ledger.add(_row(names, (ours, theirs), clock, BOUNDS[sampling]))


RECIPE = {
    "data": {
        "train": "train.jsonl",
        "validation": "test.jsonl",
        "split": {"test": 0.0},
        "allow_leakage": True,
    },
    "model": {"precision": "float32"},
    "adapter": {"top_layers": 3},
    "train": {"epochs": OWN},
}


def _rows(folder: str, quick: bool) -> Path:
    """Evenly spaced rows; a quick call keeps eight labels, so that few rows hold them all."""
    place = WORK / "reach" / (f"{folder}-quick" if quick else folder)
    place.mkdir(parents=True, exist_ok=True)
    known: set[str] = set()
    for part, rows in (("train", 160 if quick else TRAIN), ("test", 64 if quick else TEST)):
        file = DATA / folder / f"{part}.jsonl"
        lines = file.read_text(encoding="utf-8").strip("\n").split("\n")
        found = [json.loads(line) for line in lines]
        if quick:
            known = known or set(sorted({r["label"] for r in found})[:8])
            found = [r for r in found if r["label"] in known]
        step = max(1.0, len(found) / rows)
        chosen = [found[int(i * step)] for i in range(min(rows, len(found)))]
        plain = [json.dumps({"text": r["text"], "label": r["label"]}) for r in chosen]
        (place / f"{part}.jsonl").write_text("\n".join(plain) + "\n", encoding="utf-8")
    return place


def _row(
    names: tuple[str, str],
    curves: tuple[list[dict[str, float]], list[dict[str, float]]],
    clock: str,
    bounds: tuple[float, float],
) -> Row:
    ours, theirs = curves
    wanted = theirs[-1]["accuracy"]
    first_theirs = next(p for p in theirs if p["accuracy"] >= wanted)[clock]
    first_ours = next((p[clock] for p in ours if p["accuracy"] >= wanted), None)
    ratio = round(first_theirs / first_ours, 3) if first_ours else None
    return Row(
        *names,
        round(first_ours, 3) if first_ours else None,
        round(first_theirs, 3),
        ratio,
        None,
        f"at least {bounds[0]:g}x, at accuracy {wanted:.3f}",
        f"at least {bounds[1]:g}x",
        ratio is not None and ratio >= bounds[0],
    )
