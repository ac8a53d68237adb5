"""One way of training a classifier, and how it stands under attack."""

from __future__ import annotations

import json
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from luthier.core.progress import Silence
from luthier.recipe.load import recipe_from_dict
from luthier.safety.attack import Limits
from luthier.stages.parts.keeping import Tuned
from luthier.stages.safety.attacking.attack import member_of, victim_of
from luthier.stages.safety.attacking.lexicon import lexicon_of
from luthier.stages.training import train
from luthier.stages.workshop import set_up
from luthier.store.artefacts import Artefacts

ATTACKS = ("words", "typos", "invisible", "lookalikes")


@dataclass(frozen=True)
class Size:
    """Training rows and epochs, test rows for clean accuracy, and for exchanged words and for
    characters how many of these are attacked, with how many queries each."""

    train: int
    epochs: float
    test: int
    words: tuple[int, int]
    characters: tuple[int, int]


def some(file: Path, most: int, seed: int) -> list[dict[str, str]]:
    """Rows of a file in an order drawn by seed."""
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    order = np.random.default_rng(seed).permutation(len(rows))[:most]
    return [{"text": rows[i]["text"], "label": str(rows[i]["label"])} for i in order]


def measure(
    data: Path, adversarial: dict[str, Any] | None, size: Size, draw: int = 0
) -> dict[str, Any]:
    """Which clean rows and which attacked rows were answered rightly, and CPU seconds of training.

    Training is the stage of a real run: the probe, every update, every validation. Each `draw` has
    training rows, test rows and a seed of its own.
    """
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        rows = some(data / "train.jsonl", size.train, 2 * draw)
        known = {row["label"] for row in rows}
        test = [
            r for r in some(data / "test.jsonl", size.test, 2 * draw + 1) if r["label"] in known
        ]
        for name, part in (("train", rows), ("test", test)):
            text = "".join(json.dumps(row) + "\n" for row in part)
            (folder / f"{name}.jsonl").write_text(text, encoding="utf-8")
        return _measure(folder, test, adversarial, size, draw)


def _measure(
    folder: Path,
    test: list[dict[str, str]],
    adversarial: dict[str, Any] | None,
    size: Size,
    draw: int,
) -> dict[str, Any]:
    content: dict[str, Any] = {
        "task": "classify",
        "data": {"train": "train.jsonl", "test": "test.jsonl"},
        "model": {"id": "embedded:encoder", "precision": "float32", "max_tokens": 96},
        "adapter": {"kind": "lora"},
        "train": {"epochs": size.epochs, "batch_size": 32, "seed": draw},
        "fast": {"prefix_cache": "off", "pack": "off"},
    }
    if adversarial is not None:
        content["safety"] = {"adversarial": adversarial}
    recipe, progress = recipe_from_dict(content), Silence()
    artefacts = Artefacts(Path(tempfile.gettempdir()) / "luthier-robustness")
    shop = set_up(recipe, folder, folder / "run", None, progress)
    lexicon = lexicon_of(shop.base, artefacts, progress)
    began = time.process_time()
    train(shop, progress)
    seconds = time.process_time() - began
    tuned = Tuned(
        shop.recipe, shop.task, shop.base, shop.network, shop.head, shop.contract,
        shop.prepared.mapping,
    )  # fmt: skip
    names = shop.head.labels.names
    texts, truths = [r["text"] for r in test], [names.index(r["label"]) for r in test]
    victim = victim_of(tuned)
    answers = victim.scores(texts).argmax(1)
    right = [bool(a == t) for a, t in zip(answers, truths, strict=True)]
    held, thrown = {}, {}
    for name in ATTACKS:
        few, queries = size.words if name == "words" else size.characters
        member = member_of(name, tuned, victim, lexicon)
        attempts = member.run(victim, texts[:few], truths[:few], Limits(queries))
        held[name] = [a.right and not a.fell() for a in attempts]
        thrown[name] = sum(sum(a.thrown_away.values()) for a in attempts)
    return {
        "seconds": seconds,
        "right": right,
        "before": right[: size.characters[0]],
        "held": held,
        "thrown_away": thrown,
    }
