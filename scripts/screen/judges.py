"""Fits the judges of the content filters on the tuned encoder, calibrates them and writes weights.

    python scripts/screen/judges.py RUN DATA OUT    (RUN: folder of the tagger's run)
    python scripts/screen/judges.py WEIGHTS DATA OUT    (calibrates the judges of a folder of weights anew)

Every source is a published set with a permissive licence; see the card beside the weights.
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path
from typing import Any

import numpy as np
from composing import injections
from safetensors import safe_open
from safetensors.numpy import load_file, save_file
from scipy.sparse import csr_matrix, hstack
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from luthier.screen.calibration import threshold
from luthier.screen.judging import PAIRS, VOCABULARY, pooled, word_features
from luthier.screen.normal import normal
from luthier.stages.safety.filtering.encoder import Encoder

HARMLESS = {"banking77": 1000, "snips": 690, "sms_spam": 516, "twitter_financial_sentiment": 900,
            "medquad": 500, "self_instruct_seed": 400, "covid_qa": 69, "gsm8k": 374}  # fmt: skip
Pair = tuple[str, int]
SEEN: dict[str, tuple[np.ndarray, np.ndarray]] = {}
"""Features by text: judges share most of their texts."""
HALVED = ("hatexplain", "self_instruct_seed")
LONGEST = 600
MOST = {"train": 8000, "validation": 3500, "test": 3500}


def rows(data: Path, name: str, part: str) -> list[dict]:
    """The rows of one part of a set."""
    text = (data / name / f"{part}.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.split("\n") if line]


def part_of(data: Path, name: str, part: str) -> list[dict]:
    """The rows of a part of a set; some test parts are halved, because calibration must see the same
    mixture that is measured and their validation parts are small."""
    if name not in HALVED or part == "train":
        return rows(data, name, part)
    half = len(test := rows(data, name, "test")) // 2
    return test[half:] if part == "test" else [*rows(data, name, part), *test[:half]]


def harmless(data: Path, part: str) -> list[str]:
    """Texts of everyday sets without harm."""
    chance = random.Random(13)
    found = []
    for name, count in HARMLESS.items():
        if not (data / name / f"{part}.jsonl").is_file():
            continue
        texts = [str(r.get("text") or r.get("prompt")) for r in part_of(data, name, part)]
        chance.shuffle(texts)
        found += [t[:LONGEST] for t in texts[:count]]
    return found


def toxic(data: Path, part: str, hate: bool) -> list[Pair]:
    """Posts and comments with one label: harmful or not."""
    marks = {"hate_speech", "hatespeech"} if hate else {"hate_speech", "hatespeech", "offensive", "toxic"}  # fmt: skip
    found = [
        (r["text"][:LONGEST], int(r["label"] in marks))
        for name in ("davidson_hate_offensive", "hatexplain", "wikipedia_toxicity_sample")
        for r in part_of(data, name, part)
    ]
    return found + [(t, 0) for t in harmless(data, part)]


def pairs_of(kind: str, data: Path, part: str) -> list[Pair]:
    """Texts with labels of one judge."""
    if kind == "injection":
        found = injections(data, part, harmless(data, part))
    else:
        found = toxic(data, part, kind == "hate")
    random.Random(13).shuffle(found)
    return found[: MOST[part]]


def features(encoder: Encoder, texts: list[str]) -> tuple[Any, np.ndarray]:
    """Word features, sparse (N, V), and pooled states (N, 2 D) of the first window of texts."""
    places, columns, values, states = [0], [], [], []
    for text in texts:
        if text not in SEEN:
            window = next(iter(encoder.windows(normal(text).text or "empty")))
            SEEN[text] = (word_features(window.ids), pooled(window.states))
        known, state = SEEN[text]
        columns.append(known)
        values.append(np.full(len(known), 1 / np.sqrt(len(known)), np.float32))
        places.append(places[-1] + len(known))
        states.append(state)
    words = csr_matrix(
        (np.concatenate(values), np.concatenate(columns), places),
        (len(texts), VOCABULARY + PAIRS),
    )
    return words, np.stack(states)


def fit(kind: str, encoder: Encoder, data: Path, out: dict) -> None:
    """Fits one judge."""
    learn = pairs_of(kind, data, "train")
    words, states = features(encoder, [t for t, _ in learn])
    scale = 1 / (states.std(0) + 1e-3) * 0.3
    truth = np.asarray([y for _, y in learn])
    model = LogisticRegression(C=20.0, max_iter=1000, tol=1e-3, class_weight="balanced")
    model.fit(hstack([words * 3, csr_matrix(states * scale)]).tocsr(), truth)
    weight = model.coef_[0].astype(np.float32)
    out[f"{kind}.words"] = (weight[: VOCABULARY + PAIRS] * 3).astype(np.float16)
    out[f"{kind}.states"] = (weight[VOCABULARY + PAIRS :] * scale).astype(np.float32)
    out[f"{kind}.bias"] = model.intercept_.astype(np.float32)


def measure(kind: str, encoder: Encoder, data: Path, out: dict) -> dict[str, Any]:
    """Calibrates a judge on harmless validation rows and measures it on test rows."""

    def score(part: str) -> tuple[np.ndarray, np.ndarray]:
        pairs = pairs_of(kind, data, part)
        w, s = features(encoder, [t for t, _ in pairs])
        raw = w @ out[f"{kind}.words"].astype(np.float32) + s @ out[f"{kind}.states"]
        return 1 / (1 + np.exp(-np.clip(raw + out[f"{kind}.bias"], -30, 30))), np.asarray([y for _, y in pairs])  # fmt: skip

    scores, labels = score("validation")
    benign = np.sort(scores[labels == 0]).astype(np.float32)
    out[f"{kind}.benign"] = benign
    level, bound = threshold(benign, 0.01)
    scores, labels = score("test")
    return {
        "calibration": len(benign), "threshold": level, "bound": bound,
        "test_harmful": int(labels.sum()), "test_harmless": int((labels == 0).sum()),
        "auc": float(roc_auc_score(labels, scores)),
        "recall": float((scores[labels == 1] > level).mean()),
        "false_positives": float((scores[labels == 0] > level).mean()),
    }  # fmt: skip


def tuned(run: Path) -> tuple[dict[str, np.ndarray], list[str]]:
    """The tensors of adapter and tagger, and the kinds it marks, from a run; from weights, the
    judges too."""
    if (weights := run / "filters.safetensors").is_file():
        with safe_open(str(weights), "np") as file:
            return load_file(str(weights)), json.loads(file.metadata()["kinds"])
    adapter = load_file(str(run / "model" / "adapter" / "adapter_model.safetensors"))
    about = json.loads((run / "model" / "adapter" / "adapter_config.json").read_text())
    out: dict[str, np.ndarray] = {}
    for name, value in adapter.items():
        place = name.removeprefix("base_model.model.").replace(".lora_A.weight", ".a")
        place = place.replace(".lora_B.weight", ".b")
        scaled = value * (about["lora_alpha"] / about["r"]) if place.endswith(".b") else value
        out[place] = scaled.astype(np.float16)
    head = load_file(str(run / "model" / "head.safetensors"))
    out["tag.weight"] = head["weight"].astype(np.float16)
    out["tag.bias"] = head["bias"].astype(np.float16)
    return out, json.loads((run / "model" / "facts.json").read_text())["labels"]


def main(run: Path, data: Path, target: Path) -> None:
    """Writes `filters.safetensors` and `measured.json` into `target`."""
    import torch

    out, labels = tuned(run)
    layers = 1 + max(int(n.split(".")[2]) for n in out if n.startswith("encoder.layer."))
    encoder = Encoder.load({n: torch.from_numpy(v) for n, v in out.items()}, layers)
    report: dict[str, Any] = {}
    kinds = ["toxicity", "hate", "injection"]
    for kind in kinds:
        if f"{kind}.words" not in out:
            fit(kind, encoder, data, out)
        trained = len(pairs_of(kind, data, "train"))
        report[kind] = {"train": trained, **measure(kind, encoder, data, out)}
        print(kind, json.dumps(report[kind]), flush=True)
    target.mkdir(parents=True, exist_ok=True)
    facts = {"kinds": json.dumps(labels), "judges": json.dumps(kinds), "layers": str(layers)}
    save_file(out, str(target / "filters.safetensors"), metadata=facts)
    (target / "measured.json").write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:4]))
