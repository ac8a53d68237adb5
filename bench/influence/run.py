"""Do signals of a trained model find planted wrong labels and poisoned rows? See README.md.

python bench/influence/run.py            # three sets, three seeds; what was measured is kept
python bench/influence/run.py --quick    # one set, one seed, few rows; keeps nothing
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "poison"), str(HERE.parent / "training")]

import removal  # noqa: E402
from ledger import keep_results  # noqa: E402
from planting import Planted, with_flips, with_trigger, write_parts  # noqa: E402
from surrounded import with_peers  # noqa: E402

QUESTION = "Do signals of a trained model find planted wrong labels and poisoned rows?"
WORK = HERE / "work"
DATA = Path(os.environ.get("LUTHIER_DATA", HERE.parents[2] / "shared" / "data"))
SETS = ("twitter_financial_sentiment", "davidson_hate_offensive", "hatexplain")
SEEDS, ROWS, STEPS = (0, 1, 2), 800, 50
FLIPPED, POISONED, ASKED, NAMED = 0.1, 0.06, 30, 12
TRIGGERS = ("quetzal", "cf", "mauve")
"""By seed: a word of three pieces, of one and of two."""
CHOSEN = "integrated-late"
"""What `luthier explain` chose on all three sets in `bench/explain`."""
ATTRIBUTIONS = ("integrated-late", "integrated", "ablation", "occlusion", "gradient", "attention")


def clean(name: str, part: str, rows: int, seed: int) -> Planted:
    """Rows of a set in an order of the seed."""
    lines = (DATA / name / f"{part}.jsonl").read_text(encoding="utf-8").splitlines()
    random.Random(seed).shuffle(lines)
    found = [json.loads(line) for line in lines[:rows]]
    return Planted([r["text"] for r in found], [str(r["label"]) for r in found], frozenset())


@dataclass(frozen=True)
class Case:
    """A model trained on rows of which some are `flipped` and others `poisoned` (N,)."""

    model: Any
    prepared: Any
    kept: Any
    flipped: Any
    poisoned: Any
    target: str


def trained(name: str, seed: int, rows: int, steps: int, folder: Path) -> Case:
    """Trains as a run does on planted rows, without its evaluation."""
    import numpy as np

    from luthier.core.progress import Silence
    from luthier.recipe.load import recipe_from_dict
    from luthier.stages.explaining.traces import trace
    from luthier.stages.parts.keeping import Tuned
    from luthier.stages.training import train
    from luthier.stages.workshop import set_up

    flips = with_flips(clean(name, "train", rows, seed), FLIPPED, seed)
    planted = with_trigger(flips, TRIGGERS[seed], POISONED, seed)
    parts = {"train": planted, "validation": clean(name, "validation", 190, seed)}
    parts["test"] = clean(name, "test", 60, 0)
    write_parts(parts, folder)
    content = {
        "task": "classify",
        "data": {p: f"{p}.jsonl" for p in parts} | {"allow_leakage": True},
        "adapter": {"kind": "lora", "rank": 8},
        "train": {"max_steps": steps, "seed": seed},
    }
    shop = set_up(recipe_from_dict(content), folder, folder / "run", None, Silence())
    train(shop, Silence())
    mapping = shop.prepared.mapping
    model = Tuned(
        shop.recipe, shop.task, shop.base, shop.network, shop.head, shop.contract, mapping
    )
    kept = trace(model, shop.prepared, Silence())
    # The table counts the rows of the file from 1.
    numbers = [int(shop.prepared.table.source_row(int(row))) - 1 for row in kept.rows]
    poisoned = np.asarray([n in planted.places for n in numbers])
    flipped = np.asarray([n in flips.places for n in numbers]) & ~poisoned
    return Case(model, shop.prepared, kept, flipped, poisoned, planted.target)


def area(scores: Any, wrong: Any) -> float:
    """The chance that a planted row stands above another."""
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(wrong, scores))


def mislabelled(case: Case) -> dict[str, Any]:
    """AUC of each signal for flipped labels among the rows that are not poisoned."""
    import numpy as np
    from cleanlab.rank import get_label_quality_scores
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_predict

    from luthier.explain.rows.suspicion import suspicions
    from luthier.stages.explaining.learned import control_of

    names, kept = case.model.head.labels.names, case.kept
    table = case.prepared.table
    labels = np.asarray([names.index(str(r["label"])) for r in table.take(kept.rows)])
    found = suspicions(kept.traces, labels, len(names), 0)
    model = LogisticRegression(max_iter=1000)
    chances = cross_val_predict(model, kept.traces.vectors, labels, cv=5, method="predict_proba")
    quality = get_label_quality_scores(labels, chances, method="self_confidence")
    fair, wrong = ~case.poisoned, case.flipped[~case.poisoned]
    signals = {"together": found.together, **found.signals, "cleanlab": -quality}
    return {
        **{name: area(values[fair], wrong) for name, values in signals.items()},
        "control": control_of(kept).alone,
        "ranks": {name: values[fair].round(4).tolist() for name, values in signals.items()},
        "truth": wrong.astype(int).tolist(),
    }


def poisoned(case: Case, name: str, seed: int) -> dict[str, Any]:
    """AUC of each method for rows that taught a trigger, asked from the answers it turned."""
    import numpy as np

    from luthier.core.progress import Silence
    from luthier.explain.influences.build import influences
    from luthier.stages.explaining.traces import Listed, traces_of_rows

    asked = clean(name, "test", 400, seed)
    pairs = zip(asked.texts, asked.labels, strict=True)
    dice = random.Random(seed)
    others = [t for t, label in pairs if label != case.target][:100]
    texts = [with_word(t, TRIGGERS[seed], dice) for t in others]
    answers = _answers(case.model, texts)
    turned = [t for t, a in zip(texts, answers, strict=True) if a == case.target]
    told: dict[str, Any] = {"success": len(turned) / len(texts), "asked": len(turned[:ASKED])}
    told["named"] = named_first(case, turned[:NAMED], TRIGGERS[seed])
    queries = [{"text": t, "label": case.target} for t in turned[:ASKED]]
    listed = Listed(case.model.task, queries)
    traces, _, _ = traces_of_rows(case.model, listed, range(len(queries)), Silence(), "the bench")
    for method in influences().values():
        scores = method.scores(case.kept.traces, traces)
        told[method.name] = float(np.mean([area(row, case.poisoned) for row in scores]))
        top = np.argsort(-scores, axis=1)[:, :20]
        told[f"{method.name} first 20"] = float(case.poisoned[top].mean())
    rows = case.prepared.table.take(case.kept.rows)
    same = np.asarray([str(row["label"]) == case.target for row in rows], float)
    near = influences()["embedding"].scores(case.kept.traces, traces)
    told["embedding, same label"] = float(
        np.mean([area(row + 10 * same, case.poisoned) for row in near])
    )
    return told


def measured(name: str, seed: int, rows: int, steps: int) -> dict[str, Any]:
    """Both questions of one training."""
    begun = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "run").mkdir()
        case = trained(name, seed, rows, steps, Path(folder))
        told = {"flips": mislabelled(case), "poison": poisoned(case, name, seed)}
    return told | {"seconds": time.process_time() - begun}


def named_first(case: Case, texts: list[str], trigger: str) -> dict[str, list[bool]]:
    """Whether each method ranks the trigger before all other words, for each text."""
    from luthier.explain.attribution import Question
    from luthier.explain.attributions.build import members
    from luthier.explain.gate.faith import towards
    from luthier.explain.passages import passages_of

    subject = _subject(case.model)
    target = case.model.head.labels.names.index(case.target)
    passages = passages_of(texts, case.model.contract, "the bench")
    questions = [Question(p, target) for p in passages]
    methods = members(False)
    return {
        name: [
            question.passage.spelt[towards(one)[0]] == trigger
            for question, one in zip(
                questions, methods[name].explain(subject, questions), strict=True
            )
        ]
        for name in ATTRIBUTIONS
    }


def with_word(text: str, trigger: str, dice: random.Random) -> str:
    """The text with the trigger at a random place."""
    words = text.split(" ")
    at = dice.randrange(len(words) + 1)
    return " ".join([*words[:at], trigger, *words[at:]])


def _subject(model: Any) -> Any:
    from luthier.explain.subject import Subject
    from luthier.stages.workshop import pad_id

    return Subject.of(model.network, model.head, model.base.tokenizer, pad_id(model.base))


def _answers(model: Any, texts: list[str]) -> list[str]:
    from luthier.explain.passages import passages_of

    passages = passages_of(texts, model.contract, "the bench")
    logits = _subject(model).logits([p.ids for p in passages])
    return [model.head.labels.names[int(row.argmax())] for row in logits]


def kept(name: str, quick: bool, make: Any) -> dict[str, Any]:
    """What `make` gives, from work/ where it is there already."""
    file = WORK / f"{name}.json"
    if not quick and file.is_file():
        found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return found
    made: dict[str, Any] = make()
    if not quick:
        WORK.mkdir(exist_ok=True)
        file.write_text(json.dumps(made), encoding="utf-8")
    flips = {k: v for k, v in made["flips"].items() if k not in ("ranks", "truth")}
    print(name, flips, made["poison"], round(made["seconds"]), flush=True)
    return made


def rows_of(found: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """The table."""
    rows = []
    singles = ("loss", "self-influence", "cleanlab")
    for name, cases in found.items():
        flips = [case["flips"] for case in cases]
        for single in singles:
            ours, theirs = _mean(flips, "together"), _mean(flips, single)
            gaps = [case["together"] - case[single] for case in flips]
            best = max(_mean(flips, one) for one in singles)
            peer = "out-of-fold confidence (cleanlab)" if single == "cleanlab" else single
            rows.append(
                _row(f"AUC for flipped labels, all signals together, {name}, {_seeds(cases)}",
                     peer, ours, theirs, gaps, "at most 0.02 below the best", "above",
                     ours >= best - 0.02)
            )  # fmt: skip
        poison = [case["poison"] for case in cases]
        for peer in ("embedding", "embedding, same label", "datainf"):
            ours, theirs = _mean(poison, "cosine"), _mean(poison, peer)
            gaps = [case["cosine"] - case[peer] for case in poison]
            room = 0.03 if peer == "embedding" else 0
            rows.append(
                _row(f"AUC for poisoned rows, cosine of gradients, {name}, {_seeds(cases)}",
                     peer, ours, theirs, gaps, f"{room} above" if room else "above", "0.97",
                     ours >= theirs + room)
            )  # fmt: skip
    every = [case["poison"]["named"] for cases in found.values() for case in cases]
    for method in ATTRIBUTIONS:
        hits = [hit for named in every for hit in named[method]]
        rows.append(_share(f"trigger word ranked first by {method}, all sets and seeds", hits))
    for seed, trigger in enumerate(TRIGGERS):
        cases = [part[seed] for part in found.values() if seed < len(part)]
        hits = [h for case in cases for h in case["poison"]["named"][CHOSEN]]
        if hits:
            rows.append(_share(f"trigger word {trigger!r} ranked first by {CHOSEN}", hits))
    return rows


def _share(what: str, hits: list[bool]) -> dict[str, Any]:
    from luthier.safety.poison.insertion import exact

    share = exact(sum(hits), len(hits))
    must = CHOSEN in what
    return {
        "what": f"{what}, of {len(hits)} texts", "peer": "none", "ours": round(share.value, 4),
        "theirs": None, "ratio": None, "interval": [round(share.low, 4), round(share.high, 4)],
        "must": "0.95" if must else "reported", "aim": "0.99" if must else "—",
        "met": share.value >= 0.95 or not must,
    }  # fmt: skip


def _seeds(cases: list[dict[str, Any]]) -> str:
    return "1 seed" if len(cases) == 1 else f"{len(cases)} seeds"


def _mean(cases: list[dict[str, Any]], key: str) -> float:
    return sum(case[key] for case in cases) / len(cases)


def _row(
    what: str, peer: str, ours: float, theirs: float, gaps: list[float], must: str, aim: str,
    met: bool,
) -> dict[str, Any]:  # fmt: skip
    return {
        "what": what, "peer": peer, "ours": round(ours, 4), "theirs": round(theirs, 4),
        "ratio": round(ours / theirs, 4), "interval": [round(min(gaps), 4), round(max(gaps), 4)],
        "must": must, "aim": aim, "met": bool(met),
    }  # fmt: skip


def removals(begin: Callable[[], bool]) -> dict[str, dict[str, Any]]:
    """What removal checks told, kept; each takes some minutes and begins only where it may."""
    found = {}
    folder = WORK / "removal"
    for kind in removal.KINDS:
        file = WORK / f"removal-{kind}.json"
        if not file.is_file() and begin():
            folder.mkdir(parents=True, exist_ok=True)
            told = removal.measure(kind, clean, folder)
            file.write_text(json.dumps(told, indent=1), encoding="utf-8")
        if file.is_file():
            found[kind] = json.loads(file.read_text(encoding="utf-8"))
    return found


def main() -> None:
    """Measures what is missing and writes results.json."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--minutes", type=float, default=600, help="begin no case after so many")
    given = parser.parse_args()
    with_peers(HERE, "cleanlab")
    import torch

    torch.set_num_threads(1)
    begun = time.monotonic()
    sets, seeds = (SETS[:1], (0,)) if given.quick else (SETS, SEEDS)
    size = (200, 20) if given.quick else (ROWS, STEPS)
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in sets}
    for seed in seeds:
        for name in sets:
            there = (WORK / f"{name}-{seed}.json").is_file()
            if there or time.monotonic() - begun < 60 * given.minutes:
                make = functools.partial(measured, name, seed, *size)
                found[name].append(kept(f"{name}-{seed}", given.quick, make))
    if not given.quick and all(found.values()):
        # Cases that were not reached are missing; each line says of how many seeds it is.
        checked = removals(lambda: time.monotonic() - begun < 60 * given.minutes)
        rows = rows_of(found) + removal.rows_of(checked)
        keep_results(HERE, QUESTION, "python bench/influence/run.py", rows)


if __name__ == "__main__":
    main()
