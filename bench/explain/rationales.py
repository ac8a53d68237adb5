"""Do scores find the words that people marked? Average precision by word, HateXplain."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

SET, MOST = "hatexplain", 60
CAPTUM = "Captum IG-50"
PEERS = (CAPTUM, "gradient", "attention", "ablation", "occlusion", "integrated")


def measure(data: Path, tuned: Callable[[str, int], Any], most: int = MOST) -> dict[str, Any]:
    """Average precision (N,) of each method on test texts that people marked and the model finds
    hateful or offensive; scores are those for its answer."""
    from luthier.explain.attribution import Question
    from luthier.explain.attributions.build import members
    from luthier.explain.attributions.integrated import IntegratedGradients
    from luthier.explain.passages import passages_of
    from luthier.explain.subject import Subject
    from luthier.stages.workshop import pad_id

    model, _ = tuned(SET, 100)
    subject = Subject.of(model.network, model.head, model.base.tokenizer, pad_id(model.base))
    lines = (data / SET / "test.jsonl").read_text(encoding="utf-8").splitlines()
    marked = [row for row in map(json.loads, lines) if row.get("rationale")][: 3 * most]
    passages = passages_of([row["text"] for row in marked], model.contract, "the bench")
    logits = subject.logits([p.ids for p in passages])
    names = model.head.labels.names
    questions, truth = [], []
    for row, passage, scores in zip(marked, passages, logits, strict=True):
        found = human(passage.words, row["rationale"])
        if names[int(scores.argmax())] != "normal" and 0 < found.sum() < len(found):
            questions.append(Question(passage, int(scores.argmax())))
            truth.append(found)
    questions, truth = questions[:most], truth[:most]
    methods: dict[str, Any] = dict(members(False))
    # A test holds our own, with these nodes and this baseline, equal to Captum's.
    methods[CAPTUM] = IntegratedGradients(50, 0.0, 0, "pad", name=CAPTUM)
    from sklearn.metrics import average_precision_score

    def precision(method: Any) -> list[float]:
        told = method.explain(subject, questions)
        pairs = zip(truth, told, strict=True)
        return [float(average_precision_score(t, one.scores)) for t, one in pairs]

    return {
        "texts": len(questions),
        "chance": float(np.mean([t.mean() for t in truth])),
        "each": {name: precision(method) for name, method in methods.items()},
    }


def human(words: Sequence[tuple[int, int]], spans: Sequence[Sequence[int]]) -> np.ndarray:
    """Which words (W,) lie in what people marked."""
    return np.asarray([any(a < e and s < b for s, e in spans) for a, b in words], np.int64)


def rows(found: dict[str, Any], chosen: str) -> list[dict[str, Any]]:
    """Lines of the table: the chosen method against each of the others."""
    ours = np.asarray(found["each"][chosen])
    dice = np.random.default_rng(0)
    draws = dice.integers(0, len(ours), (2000, len(ours)))
    lines = []
    for peer in [p for p in PEERS if p != chosen]:
        theirs = np.asarray(found["each"][peer])
        ratios = ours[draws].mean(1) / theirs[draws].mean(1)
        low, high = np.quantile(ratios, [0.025, 0.975])
        lines.append(
            {
                "what": f"AUPRC for words that people marked, {SET}, {found['texts']} texts, "
                f"{chosen}, chosen (chance {found['chance']:.3f})",
                "peer": peer, "ours": float(ours.mean()), "theirs": float(theirs.mean()),
                "ratio": float(ours.mean() / theirs.mean()), "interval": [float(low), float(high)],
                "must": "above" if peer in PEERS[:3] else "reported", "aim": "—",
                "met": bool(ours.mean() > theirs.mean()) or peer not in PEERS[:3],
            }
        )  # fmt: skip
    return lines
