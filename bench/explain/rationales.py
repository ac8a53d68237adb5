"""Do scores find the words that people marked? Average precision by word, HateXplain."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

SET, MOST = "hatexplain", 100
NORMAL = "normal"
CAPTUM = "Captum IG-50"
BLEND = "integrated-late and gradient, half and half"
PEERS = (
    CAPTUM, "gradient", "attention", "ablation", "occlusion", "integrated", "integrated-late", BLEND
)  # fmt: skip
MUST = PEERS[:3]


def measure(
    data: Path, tuned: Callable[[str, int], Any], kept: Path, most: int = MOST
) -> dict[str, Any]:
    """Average precision (N,) of each method on test texts that people marked and the model finds
    hateful or offensive; scores are those for its answer against the harmless one, and against all
    others together for "others". Each method is written to `kept` when it is there."""
    from luthier.explain.attribution import Question
    from luthier.explain.attributions.build import members
    from luthier.explain.attributions.integrated import IntegratedGradients
    from luthier.explain.passages import passages_of
    from luthier.explain.subject import Subject
    from luthier.models.adapters.folding import folded
    from luthier.stages.workshop import pad_id

    model, _ = tuned(SET, 100)
    subject = Subject.of(model.network, model.head, model.base.tokenizer, pad_id(model.base))
    lines = (data / SET / "test.jsonl").read_text(encoding="utf-8").splitlines()
    marked = [row for row in map(json.loads, lines) if row.get("rationale")][: 3 * most]
    passages = passages_of([row["text"] for row in marked], model.contract, "the bench")
    answers = subject.logits([p.ids for p in passages]).argmax(1)
    harmless = model.head.labels.number(NORMAL, SET)
    asked, truth = [], []
    for row, passage, answer in zip(marked, passages, answers, strict=True):
        found = human(passage.words, row["rationale"])
        if answer != harmless and 0 < found.sum() < len(found) and len(asked) < most:
            asked.append(Question(passage, int(answer), harmless))
            truth.append(found)
    # A test holds our own, with these nodes and this baseline, equal to Captum's.
    theirs = IntegratedGradients(50, 0.0, 0, "pad", name=CAPTUM)
    methods: dict[str, Any] = {CAPTUM: theirs, **members(False)}
    scores = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else {}
    with folded(model.network):
        for name, method in methods.items():
            if name not in scores:
                told = method.explain(subject, asked)
                scores[name] = [one.scores.tolist() for one in told]
                kept.write_text(json.dumps(scores), encoding="utf-8")
                print(f"marks: {name}", flush=True)
        late = methods["integrated-late"]
        others = late.explain(subject, [Question(q.passage, q.target) for q in asked])
    halves = zip(scores["integrated-late"], scores["gradient"], strict=True)
    scores[BLEND] = [share(a) + share(b) for a, b in halves]
    return {
        "texts": len(asked),
        "chance": float(np.mean([t.mean() for t in truth])),
        "others": precision(truth, [one.scores for one in others]),
        "each": {name: precision(truth, each) for name, each in scores.items()},
    }


def precision(truth: Sequence[Any], scores: Sequence[Any]) -> list[float]:
    """Average precision of each text (N,)."""
    from sklearn.metrics import average_precision_score

    return [float(average_precision_score(t, s)) for t, s in zip(truth, scores, strict=True)]


def share(scores: Sequence[float]) -> np.ndarray:
    """Scores of words (W,) as shares of all their sizes together."""
    sizes = np.asarray(scores)
    return np.asarray(sizes / max(float(np.abs(sizes).sum()), 1e-9))


def human(words: Sequence[tuple[int, int]], spans: Sequence[Sequence[int]]) -> np.ndarray:
    """Which words (W,) lie in what people marked."""
    return np.asarray([any(a < e and s < b for s, e in spans) for a, b in words], np.int64)


def rows(found: dict[str, Any], chosen: str) -> list[dict[str, Any]]:
    """Lines of the table: the chosen method against each of the others, and the other question."""
    of = f"AUPRC for words that people marked, {SET}, {found['texts']} texts, {chosen}, chosen"
    against = f"{of}, why not {NORMAL!r} (chance {found['chance']:.3f})"
    each = found["each"]
    lines = [
        _line(against, peer, each[chosen], each[peer], peer in MUST)
        for peer in PEERS
        if peer != chosen
    ]
    asked = "integrated-late, why not any other class"
    return [*lines, _line(against, asked, each[chosen], found["others"], False)]


def _line(
    what: str, peer: str, ours: Sequence[float], theirs: Sequence[float], must: bool
) -> dict[str, Any]:
    dice = np.random.default_rng(0)
    draws = dice.integers(0, len(ours), (2000, len(ours)))
    mine, other = np.asarray(ours), np.asarray(theirs)
    low, high = np.quantile(mine[draws].mean(1) / other[draws].mean(1), [0.025, 0.975])
    return {
        "what": what, "peer": peer, "ours": float(mine.mean()), "theirs": float(other.mean()),
        "ratio": float(mine.mean() / other.mean()), "interval": [float(low), float(high)],
        "must": "above" if must else "reported", "aim": "—",
        "met": bool(mine.mean() > other.mean()) or not must,
    }  # fmt: skip
