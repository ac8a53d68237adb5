"""Records what privacy costs in accuracy, so that a plan can say it beforehand.

    python bench/privacy/outlook.py            # features once, then every setting that is missing
    python bench/privacy/outlook.py --quick    # two data sets, small; keeps nothing

Linear output layers on the frozen embedded encoder are trained with and without noise on five data
sets, at several sizes and epsilons; lines go to outlook.json. The last lines fit the law that
`luthier.privacy.outlook` uses. Data sets lie in $LUTHIER_DATA.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

from luthier.privacy.accountant import calibrate

HERE = Path(__file__).resolve().parent
DATA = Path(os.environ.get("LUTHIER_DATA", HERE.parents[2] / "shared" / "data"))
KEPT = HERE / "outlook.json"
SETS = ("sms_spam", "twitter_financial_sentiment", "snips", "banking77", "clinc150")
SIZES, EPSILONS, SEEDS = (500, 1_000, 2_000), (0.5, 1.0, 3.0, 8.0), (0, 1, 2)
TEST, STEPS = 1_000, 100


def main() -> None:
    """Fills the record and prints the fitted law."""
    quick = "--quick" in sys.argv
    rows: list[dict[str, Any]] = []
    if KEPT.exists() and not quick:
        rows = json.loads(KEPT.read_text(encoding="utf-8"))["rows"]
    done = {(r["data"], r["rows"]) for r in rows}
    for name in SETS[:2] if quick else SETS:
        sizes = SIZES[:1] if quick else SIZES
        known = features(name, max(sizes))
        for size in sizes:
            if size <= len(known[1]) and (name, size) not in done:
                rows += measured(name, size, *known)
                if not quick:
                    keep(rows)
                print(name, size, [r["lost"] for r in rows[-len(EPSILONS) :]], flush=True)
    print(json.dumps(law(rows)))


def features(name: str, count: int) -> tuple[np.ndarray, ...]:
    """Unit-length features and classes of `count` training rows and the test rows."""
    from luthier.core.types import Task
    from luthier.models.base import load_base
    from luthier.models.build import base_spec
    from luthier.recipe.model import Model

    base = load_base(base_spec(Model(), Task.CLASSIFY, "float32", "cpu"), Task.CLASSIFY)
    parts = [read(name, "train", count), read(name, "test", TEST)]
    names = sorted({label for _, label in parts[0]})
    found: list[np.ndarray] = []
    for part in parts:
        part = [(text, label) for text, label in part if label in names]
        found.append(embed(base, [text for text, _ in part]))
        found.append(np.array([names.index(label) for _, label in part]))
    return tuple(found)


def read(name: str, part: str, count: int) -> list[tuple[str, str]]:
    """Texts and labels of a part in random order."""
    text = (DATA / name / f"{part}.jsonl").read_text(encoding="utf-8")
    lines = [json.loads(line) for line in text.split("\n") if line.strip()]
    order = np.random.default_rng(0).permutation(len(lines))[:count]
    return [(lines[i]["text"], str(lines[i]["label"])) for i in order]


def embed(base: Any, texts: list[str]) -> np.ndarray:
    """Mean-pooled vectors (N, D) of length one."""
    import torch

    vectors = np.zeros((len(texts), int(base.config.hidden_size)), np.float32)
    order = np.argsort([len(t) for t in texts])
    for start in range(0, len(texts), 64):
        part = order[start : start + 64]
        given = base.tokenizer([texts[i] for i in part], padding=True, truncation=True,
                               max_length=64, return_tensors="pt")  # fmt: skip
        with torch.no_grad():
            hidden = base.network(**given).last_hidden_state
        mask = given["attention_mask"][..., None]
        vectors[part] = ((hidden * mask).sum(1) / mask.sum(1)).numpy()
    vectors -= vectors.mean(0)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def measured(
    name: str, size: int, x: np.ndarray, y: np.ndarray, a: np.ndarray, b: np.ndarray
) -> Any:
    """One line per epsilon: accuracy without and with noise, mean of three seeds."""
    x, y, classes, delta = x[:size], y[:size], int(max(y.max(), b.max())) + 1, 0.1 / size
    batch = size // 4
    plain = np.mean([accuracy(train(x, y, classes, batch, 0.0, s), a, b) for s in SEEDS])
    found = []
    for epsilon in EPSILONS:
        noise = calibrate(epsilon, delta, batch / size, STEPS)
        told = np.mean([accuracy(train(x, y, classes, batch, noise, s), a, b) for s in SEEDS])
        numbers = (x.shape[1] + 1) * classes
        found.append({
            "data": name, "rows": size, "classes": classes, "numbers": numbers, "batch": batch,
            "steps": STEPS, "epsilon": epsilon, "noise": round(noise, 4),
            "plain": round(float(plain), 4), "private": round(float(told), 4),
            "lost": round(float((plain - told) / (plain - 1 / classes)), 4),
        })  # fmt: skip
    return found


def train(x: np.ndarray, y: np.ndarray, classes: int, batch: int, noise: float, seed: int) -> Any:
    """Weights (D + 1, C) after Adam on clipped, averaged and blurred gradients."""
    random = np.random.default_rng(seed)
    x = np.hstack([x, np.ones((len(x), 1), np.float32)])
    weights = np.zeros((x.shape[1], classes))
    first, second = np.zeros_like(weights), np.zeros_like(weights)
    for step in range(1, STEPS + 1):
        chosen = np.flatnonzero(random.random(len(x)) < batch / len(x))
        part, truth = x[chosen], y[chosen]
        scores = part @ weights
        scores = np.exp(scores - scores.max(1, keepdims=True))
        error = scores / scores.sum(1, keepdims=True)
        error[np.arange(len(truth)), truth] -= 1
        norms = np.linalg.norm(part, axis=1) * np.linalg.norm(error, axis=1)
        gradient = part.T @ (error / (norms + 0.01)[:, None])
        gradient = (gradient + noise * random.normal(size=weights.shape)) / batch
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * gradient**2
        move = first / (1 - 0.9**step) / (np.sqrt(second / (1 - 0.999**step)) + 1e-8)
        weights -= 0.2 * (1 - (step - 1) / STEPS) * move
    return weights


def accuracy(weights: np.ndarray, x: np.ndarray, y: np.ndarray) -> float:
    """Share of right answers."""
    scores = np.hstack([x, np.ones((len(x), 1), np.float32)]) @ weights
    return float((scores.argmax(1) == y).mean())


def law(rows: list[dict[str, Any]]) -> dict[str, float]:
    """lost = 1 - 1 / (1 + (blur / half) ** power), where
    blur = noise * sqrt(numbers * classes / steps) / batch; nine of ten lines of a data set lie
    within `off` of the law that was fitted to the other sets."""
    half, power = fitted(rows)
    misses = []
    for left_out in {r["data"] for r in rows}:
        others = [r for r in rows if r["data"] != left_out]
        own = [r for r in rows if r["data"] == left_out]
        misses += list(np.abs(told(own, *fitted(others)) - [r["lost"] for r in own]))
    off = float(np.quantile(misses, 0.9))
    return {"half": half, "power": power, "off": off, "lines": len(rows)}


def fitted(rows: list[dict[str, Any]]) -> tuple[float, float]:
    """The law's half and power for some lines."""
    from scipy.optimize import least_squares

    lost = np.array([r["lost"] for r in rows])
    fit = least_squares(
        lambda p: told(rows, *np.exp(p)) - lost, [0.0, 0.0], loss="soft_l1", f_scale=0.05
    )
    half, power = np.exp(fit.x)
    return float(half), float(power)


def told(rows: list[dict[str, Any]], half: float, power: float) -> np.ndarray:
    """What the law says is lost, per line."""
    blur = [
        r["noise"] * np.sqrt(r["numbers"] * r["classes"] / r["steps"]) / r["batch"] for r in rows
    ]
    return 1 - 1 / (1 + (np.array(blur) / half) ** power)


def keep(rows: list[dict[str, Any]]) -> None:
    """Writes the record."""
    KEPT.write_text(json.dumps({"rows": rows, "law": law(rows)}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
