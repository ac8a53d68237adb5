"""Small made-up tasks for rungs: texts whose words and vectors tell their class."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from luthier.core.types import Task
from luthier.fewshot.rung import Asked, Known
from luthier.fewshot.tuning.encoder import Tunable
from luthier.models.base import BaseSpec, load_base

LABELS = ("card", "loan", "weather")
WORDS = {
    "card": ["card", "pin", "chip", "payment"],
    "loan": ["loan", "rate", "mortgage", "credit"],
    "weather": ["rain", "sun", "wind", "forecast"],
}
WIDTH = 8
HABIT = np.array([[0.0, 5.0, 9.0], [0.0, 0.0, 0.0]])
"""A made-up model that writes finds some names (first row) less likely, whatever it read."""


def asked(count: int, seed: int, noise: float = 0.6) -> tuple[Asked, np.ndarray]:
    """`count` texts of each class in turn, and their class numbers."""
    random = np.random.default_rng(seed)
    truth = np.tile(np.arange(len(LABELS)), count)
    middle = np.eye(len(LABELS), WIDTH)
    vectors = middle[truth] + noise * random.normal(size=(len(truth), WIDTH)) + 0.5
    texts = [
        " ".join(["please tell me about", *random.choice(WORDS[LABELS[c]], 2), f"number {i}"])
        for i, c in enumerate(truth)
    ]
    wording = random.normal(size=(len(truth), 2, len(LABELS))) - HABIT
    wording[np.arange(len(truth)), :, truth] += 2
    return Asked(texts, vectors, wording=wording), truth


def known(count: int, seed: int = 0, pool: int = 40) -> Known:
    """`count` labelled rows of each class, descriptions, and a pool."""
    rows, truth = asked(count, seed)
    described = Asked([f"{y}. {WORDS[y][0]}" for y in LABELS], np.eye(len(LABELS), WIDTH) + 0.5)
    blank = Asked(["", "?"], np.zeros((2, WIDTH)), wording=np.tile(-HABIT, (2, 1, 1)))
    others = asked(pool, seed + 100)[0]
    return Known(LABELS, rows, truth, described, others, seed=seed, blank=blank)


@dataclass(frozen=True, eq=False)
class Untouched:
    """An encoder as a run left it that moved nothing."""

    encoder: Tunable
    name: str = "a run"

    def read(self, texts: Asked) -> Asked:
        """The texts with the encoder's vectors."""
        return self.encoder.read(texts, {})


class Tiny:
    """A tiny encoder for made-up texts, which may be tuned."""

    def __init__(self, folder: Path) -> None:
        base = load_base(BaseSpec(id=str(folder), precision="float32"), Task.CLASSIFY)
        self.encoder = Tunable(base, int(base.tokenizer.pad_token_id))

    def read(self, texts: Asked) -> Asked:
        """The texts with tokens and the encoder's vectors."""
        words = [self.encoder.base.tokenizer(text)["input_ids"] for text in texts.texts]
        tokens = [np.asarray(ids, np.int64) for ids in words]
        plain = Asked(texts.texts, np.zeros((len(tokens), self.encoder.base.width)), tokens)
        return self.encoder.read(plain, {})

    def seen(self, given: Known) -> Known:
        """The same task in the encoder's eyes."""
        rows, described = self.read(given.rows), self.read(given.described)
        pool = self.read(given.pool)
        changed = replace(given, rows=rows, described=described, pool=pool, encoder=self.encoder)
        return replace(changed, earlier=(Untouched(self.encoder),))
