"""How fast are explanations, and how faithful is the method that is chosen?

python bench/explain/run.py            # three sets; what was measured lies in cells/, which is
                                       # committed, and is not repeated
python bench/explain/run.py --quick    # one set, few texts; keeps nothing
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "training")]

import rationales  # noqa: E402
import tracking  # noqa: E402
import writing  # noqa: E402
from ledger import keep_results  # noqa: E402
from surrounded import with_peers  # noqa: E402

QUESTION = "How fast are explanations, and how faithful is the method that is chosen?"
WORK, CELLS = HERE / "work", HERE / "cells"
SETS = ("twitter_financial_sentiment", "hatexplain", "davidson_hate_offensive")
TEXTS = 40
"""Test texts on which methods are compared."""
DATA = Path(os.environ.get("LUTHIER_DATA", HERE.parents[2] / "shared" / "data"))


def tuned(name: str, steps: int) -> Any:
    """A classifier trained by a whole run on 1,600 rows of a set, and its test texts."""
    from luthier.core.progress import Silence
    from luthier.recipe.load import recipe_from_dict
    from luthier.stages import api
    from luthier.stages.parts.keeping import open_tuned
    from luthier.store.store import Store

    folder = WORK / f"{name}-{steps}"
    folder.mkdir(parents=True, exist_ok=True)
    texts = []
    for part, rows in (("train", 1600), ("validation", 190), ("test", 400)):
        lines = (DATA / name / f"{part}.jsonl").read_text(encoding="utf-8").splitlines()
        random.Random(0).shuffle(lines)
        found = [json.loads(line) for line in lines[:rows]]
        kept = [json.dumps({"text": r["text"], "label": r["label"]}) for r in found]
        (folder / f"{part}.jsonl").write_text("\n".join(kept) + "\n", encoding="utf-8")
        texts = [str(r["text"]) for r in found]
    store = Store.open(folder=folder / "home")
    done = [r for r in store.list() if r.status == "finished"]
    if not done:
        content = {
            "task": "classify",
            "data": {p: f"{p}.jsonl" for p in ("train", "validation", "test")},
            "adapter": {"kind": "lora", "rank": 8},
            "train": {"max_steps": steps},
            "evaluate": {"draws": 100},
        }
        api.run(recipe_from_dict(content), folder, store=store)
        done = store.list()
    return open_tuned(done[0].path, Silence()), texts


def questions_of(model: Any, subject: Any, texts: list[str]) -> list[Any]:
    """Why each text got its answer."""
    from luthier.explain.attribution import Question
    from luthier.explain.passages import passages_of

    passages = passages_of(texts, model.contract, "the bench")
    logits = subject.logits([p.ids for p in passages])
    return [Question(p, int(r.argmax())) for p, r in zip(passages, logits, strict=True)]


def long_texts(model: Any, texts: list[str], count: int) -> list[str]:
    """Texts of about 64 tokens, put together from short ones."""
    found: list[str] = []
    parts = iter(texts)
    while len(found) < count:
        text = next(parts)
        while len(model.contract.tokenizer(text)["input_ids"]) < 60:
            text += " " + next(parts)
        ids = model.contract.tokenizer(text, return_offsets_mapping=True)
        ends = [b for _, b in ids["offset_mapping"]][:63]
        found.append(text[: max(ends)])
    return found


def captum_ig(model: Any, subject: Any) -> Callable[[list[Any]], None]:
    """Captum's integrated gradients at the embeddings, 50 steps, padding as baseline."""
    import torch
    from captum.attr import LayerIntegratedGradients

    network = subject.network

    def score(ids: Any, mask: Any, target: int) -> Any:
        hidden = network.backbone(input_ids=ids, attention_mask=mask).last_hidden_state
        weights = mask.unsqueeze(-1).float()
        scores = network.read((hidden * weights).sum(1) / weights.sum(1))
        others = [c for c in range(scores.shape[1]) if c != target]
        return scores[:, target] - torch.logsumexp(scores[:, others], 1)

    method = LayerIntegratedGradients(score, network.backbone.embeddings)

    def explain(questions: list[Any]) -> None:
        for question in questions:
            ids = torch.from_numpy(question.passage.ids)[None]
            base = question.passage.masked(range(len(question.passage.words)), subject.pad)
            method.attribute(
                ids, torch.from_numpy(base)[None], n_steps=50,
                additional_forward_args=(torch.ones_like(ids), question.target),
            )  # fmt: skip

    return explain


def shap_partition(model: Any, calls: int) -> Callable[[list[Any]], None]:
    """SHAP's text explainer as it comes, with so many calls of the model."""
    import shap

    from luthier.explain.subject import Subject
    from luthier.explain.telling.reader import Reader

    subject = Subject.of(model.network, model.head, model.base.tokenizer, 0)
    reader = Reader(subject, model.contract)

    def explain(questions: list[Any]) -> None:
        masker = shap.maskers.Text(model.contract.tokenizer)
        explainer = shap.Explainer(lambda texts: reader.chances(list(map(str, texts))), masker)
        explainer([q.passage.text for q in questions], max_evals=calls, silent=True)

    return explain


def seconds(work: Callable[[list[Any]], Any], questions: list[Any]) -> float:
    """CPU seconds for each explanation."""
    begun = time.process_time()
    work(questions)
    return (time.process_time() - begun) / len(questions)


def measure_set(name: str, quick: bool, timed: dict[str, Any]) -> dict[str, Any]:
    """The choice that `luthier explain` makes on validation texts, faithfulness of every method on
    test texts, and seconds at 64 tokens where `timed` does not hold them already."""
    import numpy as np

    from luthier.core.progress import Silence
    from luthier.explain.attributions.build import members
    from luthier.explain.attributions.integrated import IntegratedGradients
    from luthier.explain.gate.faith import measure, resamples
    from luthier.explain.subject import Subject
    from luthier.stages.explaining.judging import verdict_of
    from luthier.stages.workshop import pad_id
    from luthier.store.store import Store

    steps = 20 if quick else 100
    model, texts = tuned(name, steps)
    subject = Subject.of(model.network, model.head, model.base.tokenizer, pad_id(model.base))
    methods = dict(members(False))
    captum_alike = IntegratedGradients(50, 0.0, 0, "pad", name="IG-50, padding as baseline")
    runs = Store.open(folder=WORK / f"{name}-{steps}" / "home").list()
    record = next(r for r in runs if r.status == "finished")
    verdict, why = verdict_of(record, model, subject, 0, Silence())
    if verdict is None:
        sys.exit(f"{name}: {why}")
    short = [t for t in texts if 5 <= len(t.split()) <= 30][: 6 if quick else TEXTS]
    questions = questions_of(model, subject, short)
    found = measure(subject, questions, {**methods, "captum": captum_alike})
    best = max(methods, key=lambda n: found.overall(n)[0])
    drawn = resamples(len(questions), 1)
    share = found.overall(verdict.chosen, drawn) / found.overall(best, drawn)
    long = questions_of(model, subject, long_texts(model, texts, 2))
    works: dict[str, Callable[[list[Any]], Any]] = {
        verdict.chosen: lambda q: methods[verdict.chosen].explain(subject, q),
        "integrated-late": lambda q: methods["integrated-late"].explain(subject, q),
        "captum": captum_ig(model, subject),
        "shap 100": shap_partition(model, 100),
        "shap 500": shap_partition(model, 500),
    }
    if set(works) - set(timed):
        rounds = [{k: seconds(w, long) for k, w in works.items()} for _ in range(1 if quick else 3)]
        timed = {k: [r[k] for r in rounds] for k in works}

    def hurt(method: str, weights: Any = None) -> Any:
        kinds = found.normalised(method, weights).items()
        return np.mean([v for k, v in kinds if k[0] == "comprehensiveness"], axis=0)

    late = methods["integrated-late"].explain(subject, long + questions)
    return {
        "set": name,
        "chosen": verdict.chosen,
        "chosen on": verdict.texts,
        "best": best,
        "share": float(found.overall(verdict.chosen)[0] / found.overall(best)[0]),
        "share_interval": np.quantile(share, [0.025, 0.975]).tolist(),
        "faith": {n: found.overall(n)[0] for n in [*methods, "captum"]},
        "comprehensiveness": {n: float(hurt(n)[0]) for n in [*methods, "captum"]},
        "ahead of captum": {
            n: np.quantile(hurt(n, drawn) - hurt("captum", drawn), [0.025, 0.975]).tolist()
            for n in (verdict.chosen, "integrated-late")
        },
        "failed": {n: list(w) for n, w in verdict.failed.items()},
        "seconds": timed,
        "gap": float(np.median([a.gap for a in late])),
    }


def rows_of(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The table."""
    rows = []
    bars = {"captum": (5, 10), "shap 500": (30, 50), "shap 100": (5, 8)}
    names = {"captum": "Captum IG-50", "shap 500": "SHAP, 500 calls", "shap 100": "SHAP, 100 calls"}
    for one in found:
        for method in dict.fromkeys([one["chosen"], "integrated-late"]):
            for peer, (must, aim) in bars.items():
                ours, theirs = one["seconds"][method], one["seconds"][peer]
                ratios = sorted(b / a for a, b in zip(ours, theirs, strict=True))
                chosen = ", chosen" if method == one["chosen"] else ""
                middle = ratios[len(ratios) // 2]
                rows.append(
                    _row(
                        f"CPU seconds for an explanation of 64 tokens, {one['set']}, "
                        f"{method}{chosen}",
                        names[peer], sum(ours) / len(ours), sum(theirs) / len(theirs), middle,
                        [ratios[0], ratios[-1]], f"{must}x", f"{aim}x", middle >= must,
                    )
                )  # fmt: skip
        for method in dict.fromkeys([one["chosen"], "integrated-late"]):
            ours, theirs = one["comprehensiveness"][method], one["comprehensiveness"]["captum"]
            rows.append(
                _row(f"normalised comprehensiveness, {one['set']}, {method}", "Captum IG-50",
                     ours, theirs, ours / theirs, one["ahead of captum"][method],
                     "not below beyond the interval", "equal",
                     one["ahead of captum"][method][1] >= 0)
            )  # fmt: skip
        rows.append(
            _row(f"faithfulness of the chosen {one['chosen']}, {one['set']}",
                 f"best of all: {one['best']}", one["faith"][one["chosen"]],
                 one["faith"][one["best"]], one["share"], one["share_interval"], "0.95 of it",
                 "the best", one["share"] >= 0.95)
        )  # fmt: skip
        rows.append(
            _row(f"median completeness gap of integrated-late, {one['set']}, %", "none",
                 100 * one["gap"], None, None, None, "at most 2", "—", one["gap"] <= 0.02)
        )  # fmt: skip
    return rows


def _row(
    what: str, peer: str, ours: float, theirs: float | None, ratio: float | None,
    interval: Any, must: str, aim: str, met: bool,
) -> dict[str, Any]:  # fmt: skip
    return {
        "what": what, "peer": peer, "ours": ours, "theirs": theirs, "ratio": ratio,
        "interval": interval, "must": must, "aim": aim, "met": bool(met),
    }  # fmt: skip


def followed(name: str) -> dict[str, Any]:
    """What following a training on a set's rows cost, kept."""
    kept = CELLS / f"tracking-{name}.json"
    if not kept.exists():
        tuned(name, tracking.STEPS)
        one = tracking.measure(WORK / f"{name}-{tracking.STEPS}")
        kept.write_text(json.dumps(one, indent=1), encoding="utf-8")
    found: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8"))
    return found


def main() -> None:
    """Measures what is missing and writes results.json."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--sets", nargs="*", default=list(SETS))
    given = parser.parse_args()
    with_peers(HERE, "captum", "shap", "inseq")
    CELLS.mkdir(exist_ok=True)
    import torch

    torch.set_num_threads(1)
    found = []
    for name in given.sets[:1] if given.quick else given.sets:
        kept = CELLS / f"{name}.json"
        one = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else {}
        if given.quick or "ahead of captum" not in one:
            one = measure_set(name, given.quick, one.get("seconds", {}))
            if not given.quick:
                kept.write_text(json.dumps(one, indent=1), encoding="utf-8")
        found.append(one)
        print(json.dumps(one, indent=1), flush=True)
    if given.quick:
        return
    command = "python bench/explain/run.py"
    if given.sets != list(SETS):
        command += " --sets " + " ".join(given.sets)
    rows = rows_of(found)
    chosen = {one["set"]: one["chosen"] for one in found}
    if rationales.SET in chosen:
        kept = CELLS / "rationales.json"
        marked = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else {"each": {}}
        if chosen[rationales.SET] not in marked["each"]:
            marked = rationales.measure(DATA, tuned, WORK / "marks.json")
            kept.write_text(json.dumps(marked, indent=1), encoding="utf-8")
        rows += rationales.rows(marked, chosen[rationales.SET])
    kept = CELLS / "writing.json"
    if not kept.exists():
        wrote = writing.measure(DATA, WORK / "writing")
        kept.write_text(json.dumps(wrote, indent=1), encoding="utf-8")
    rows += writing.rows(json.loads(kept.read_text(encoding="utf-8")))
    rows += tracking.rows({name: followed(name) for name in tracking.SETS if name in chosen})
    keep_results(HERE, QUESTION, command, rows)


if __name__ == "__main__":
    main()
