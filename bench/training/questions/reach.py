"""Time until the test accuracy that Trainer reaches at its end, on part of Banking77."""

from __future__ import annotations

import json
from typing import Any

from ledger import Ledger, Row
from questions.models import encoder
from workers import DATA, WORK, Settings, once

NAMES = {
    "random": "transformers Trainer + PEFT, order at its default",
    "group_by_length": "transformers Trainer + PEFT, length grouping",
}
BOUNDS = {"random": (4.0, 10.0), "group_by_length": (2.0, 4.0)}
TRAIN, TEST, EPOCHS = 1000, 770, 3


def what(clock: str) -> str:
    """The line's name."""
    return (
        f"{clock} to the same test accuracy, Banking77, {TRAIN} training rows, "
        f"{EPOCHS} epochs at learning rate 5e-4 for the peer; probe, top 3 layers and kept prefix "
        "for ours; one repetition"
    )


def measure(ledger: Ledger, settings: Settings) -> None:
    """Two lines for each peer; ours is trained once and read where it passes their accuracy."""
    clocks = {"wall": what("seconds"), "cpu": what("CPU seconds")}
    if all(ledger.has(name, peer) for name in clocks.values() for peer in NAMES.values()):
        return
    place = WORK / "reach"
    place.mkdir(parents=True, exist_ok=True)
    train, test = (160, 64) if settings.quick else (TRAIN, TEST)
    for part, rows in (("train", train), ("test", test)):
        lines = (DATA / "banking77" / f"{part}.jsonl").read_text(encoding="utf-8").splitlines()
        every = max(1, len(lines) // rows)
        (place / f"{part}.jsonl").write_text("\n".join(lines[::every][:rows]) + "\n", "utf-8")
    shared: dict[str, Any] = {"threads": settings.threads, "data": str(place)}
    recipe = {
        "data": {
            "train": "train.jsonl",
            "validation": "test.jsonl",
            "split": {"test": 0.0},
            "allow_leakage": True,
        },
        "model": {"precision": "float32"},
        "adapter": {"top_layers": 3},
        "train": {"epochs": EPOCHS},
    }
    ours = once("ours/reach.py", shared | {"recipe": recipe}, settings.threads)["curve"]
    for sampling, peer in NAMES.items():
        given = shared | {"model": encoder(), "sampling": sampling, "epochs": EPOCHS}
        given["name"] = f"reach-{sampling}"
        theirs = once("theirs/reach.py", given, settings.threads)["curve"]
        (place / f"{sampling}.json").write_text(json.dumps([ours, theirs]), encoding="utf-8")
        for clock, name in clocks.items():
            ledger.add(_row((name, peer), ours, theirs, clock, BOUNDS[sampling]))


def _row(
    names: tuple[str, str],
    ours: list[dict[str, float]],
    theirs: list[dict[str, float]],
    clock: str,
    bounds: tuple[float, float],
) -> Row:
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
