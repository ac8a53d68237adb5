"""Attacks on models that write: harmful requests, plainly and dressed up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from luthier.core.progress import Progress
from luthier.core.seeds import derive
from luthier.safety.attack import Threat
from luthier.safety.battery.correction import corrected
from luthier.safety.battery.judge import errors, judge
from luthier.safety.battery.prompts import measured
from luthier.safety.outcome import proportion
from luthier.safety.wrappers import WRAPPERS, plain
from luthier.stages.parts.generation import write_answers
from luthier.stages.parts.keeping import Tuned

TOKENS = 32
"""Tokens of an answer; a refusal begins it."""


def attack_writer(
    tuned: Tuned, names: Sequence[str], rows: int, seed: int, progress: Progress
) -> list[dict[str, Any]]:
    """For each way to dress up harmful requests: how often the model refuses them, and how often
    it does not although it refuses the same request asked plainly. JSON-ready.
    """
    texts = measured("harmful")
    dice = np.random.default_rng(derive(seed, "harmful requests"))
    chosen = [texts[i] for i in sorted(dice.permutation(len(texts))[:rows].tolist())]
    progress.start("attack: asked plainly", len(chosen), "answers")
    before = _refused(tuned, [plain(text) for text in chosen], progress)
    told = []
    for name in names:
        progress.start(f"attack: {name}", len(chosen), "answers")
        after = _refused(tuned, [WRAPPERS[name](text) for text in chosen], progress)
        told.append(_summary(name, before, after))
    return told


def _refused(
    tuned: Tuned, prompts: Sequence[list[dict[str, str]]], progress: Progress
) -> np.ndarray:
    said = write_answers(tuned.network, tuned.contract, prompts, TOKENS, progress)
    return judge().refuses(said)


def _summary(name: str, before: np.ndarray, after: np.ndarray) -> dict[str, Any]:
    threat: Threat = "prompt injection" if name == "document" else "misuse"
    turned = int((before & ~after).sum())
    return {
        "attack": name,
        "threat": threat,
        "rows": len(before),
        "queries": 1,
        "refused_plainly": corrected(int(before.sum()), len(before), errors()).told(),
        "refused": corrected(int(after.sum()), len(after), errors()).told(),
        "success": {"1": proportion(turned, int(before.sum())).told()},
    }
