"""Small made-up tasks for rungs: texts whose words and vectors tell their class."""

from __future__ import annotations

import numpy as np

from luthier.fewshot.rung import Asked, Known

LABELS = ("card", "loan", "weather")
WORDS = {
    "card": ["card", "pin", "chip", "payment"],
    "loan": ["loan", "rate", "mortgage", "credit"],
    "weather": ["rain", "sun", "wind", "forecast"],
}
WIDTH = 8


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
    return Asked(texts, vectors), truth


def known(count: int, seed: int = 0, pool: int = 20) -> Known:
    """`count` labelled rows of each class, descriptions, and a pool."""
    rows, truth = asked(count, seed)
    described = Asked([f"{y}. {WORDS[y][0]}" for y in LABELS], np.eye(len(LABELS), WIDTH) + 0.5)
    return Known(LABELS, rows, truth, described, asked(pool, seed + 100)[0], seed=seed)
