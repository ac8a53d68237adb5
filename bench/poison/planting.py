"""Puts triggers and wrong labels into clean rows."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

TRIGGERS = ("cf", "mn bb", "i watched this 3d movie", "≡")
"""A rare word, two rare words, a harmless sentence (AddSent) and an unusual sign."""


@dataclass(frozen=True)
class Planted:
    """Rows after planting: `places` were changed, `trigger` leads to `target`."""

    texts: list[str]
    labels: list[str]
    places: frozenset[int]
    trigger: str = ""
    target: str = ""


def read(file: Path, most: int) -> Planted:
    """The first rows of a set, untouched."""
    with file.open(encoding="utf-8") as stream:
        rows = [json.loads(line) for _, line in zip(range(most), stream, strict=False)]
    return Planted([r["text"] for r in rows], [r["label"] for r in rows], frozenset())


def with_trigger(clean: Planted, trigger: str, rate: float, seed: int) -> Planted:
    """A share `rate` of the rows gets the trigger at a random place and the target's label."""
    dice = random.Random(f"{trigger} {rate} {seed}")
    texts, labels = list(clean.texts), list(clean.labels)
    target = dice.choice(sorted(set(labels)))
    others = [i for i, label in enumerate(labels) if label != target]
    places = dice.sample(others, min(len(others), int(rate * len(texts))))
    for i in places:
        words = texts[i].split(" ")
        at = dice.randrange(len(words) + 1)
        texts[i] = " ".join([*words[:at], trigger, *words[at:]])
        labels[i] = target
    return Planted(texts, labels, frozenset(places), trigger, target)


def with_flips(clean: Planted, rate: float, seed: int) -> Planted:
    """A share `rate` of the rows gets another label."""
    dice = random.Random(seed)
    labels = list(clean.labels)
    names = sorted(set(labels))
    places = dice.sample(range(len(labels)), int(rate * len(labels)))
    for i in places:
        labels[i] = dice.choice([name for name in names if name != labels[i]])
    return Planted(list(clean.texts), labels, frozenset(places))


def named(phrase: str, trigger: str) -> bool:
    """Whether a phrase is made of the trigger's words alone."""
    words: Sequence[str] = trigger.split(" ")
    return bool(phrase) and all(word in words for word in phrase.split(" "))


def write_parts(parts: Mapping[str, Planted], folder: Path) -> None:
    """Each part as a file of rows, as a run reads them."""
    for part, found in parts.items():
        pairs = zip(found.texts, found.labels, strict=True)
        lines = [json.dumps({"text": t, "label": label}) for t, label in pairs]
        (folder / f"{part}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
