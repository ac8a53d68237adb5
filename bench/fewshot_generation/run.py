"""Is a tenth of the instructions, well chosen, worth all of them? See README.md.

python bench/fewshot_generation/run.py            # three seeds; cells that are there are kept
python bench/fewshot_generation/run.py --quick    # one seed, few rows and updates; keeps nothing
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "training")]

import numpy as np  # noqa: E402
from ledger import keep_results  # noqa: E402

from luthier.core.progress import Silence  # noqa: E402
from luthier.fewshot.picks.family import PICKS  # noqa: E402

QUESTION = "Is a tenth of the instructions, well chosen, worth all of them?"
WORK = HERE / "work"
DATA = Path(os.environ.get("LUTHIER_DATA", HERE.parents[2] / "shared" / "data")) / "e2e_nlg"
CHOICES = ("joint", "random", "all", "diverse", "gradient")
SEEDS = (10, 11, 12)
DRAWS = 2000


@dataclass(frozen=True)
class Size:
    """Rows of the parts, updates, and rows that are answered in writing."""

    train: int = 800
    validation: int = 96
    test: int = 300
    written: int = 200
    updates: int = 150


QUICK = Size(120, 24, 24, 12, 10)


def prepared(seed: int, size: Size, folder: Path) -> Any:
    """A workshop with rows drawn by the seed; test rows are the same for every seed."""
    from luthier.recipe.load import recipe_from_dict
    from luthier.stages.workshop import set_up

    for part in ("train", "validation", "test"):
        lines = (DATA / f"{part}.jsonl").read_text(encoding="utf-8").splitlines()
        rng = np.random.default_rng(0 if part == "test" else seed)
        some = rng.permutation(len(lines))[: getattr(size, part)]
        text = "\n".join(lines[i] for i in some) + "\n"
        (folder / f"{part}.jsonl").write_text(text, encoding="utf-8")
    parts = {part: f"{part}.jsonl" for part in ("train", "validation", "test")}
    content = {
        "task": "instruct",
        "model": {"id": "embedded:causal"},
        "data": parts | {"allow_leakage": True, "select": {"share": 0.1, "seed": seed}},
        "train": {
            "max_steps": size.updates, "epochs": 1000, "batch_size": 16, "seed": seed,
            "patience": None, "validations": 5,
        },
        "evaluate": {"generate_rows": size.written, "max_new_tokens": 64, "forgetting": False},
    }  # fmt: skip
    return set_up(recipe_from_dict(content), folder, folder / "run", None, Silence())


def choices(shop: Any, folder: Path) -> tuple[dict[str, Any], float]:
    """The rows of each choice, and the CPU seconds that looking at them took."""
    from luthier.stages.fewshot.candidates import candidates_of
    from luthier.store.artefacts import Artefacts

    begun = time.process_time()
    select = shop.recipe.data.select
    found, rows = candidates_of(shop, select, PICKS["joint"], Artefacts(folder), Silence())
    count = select.count(len(rows))
    picked = {name: rows[pick.order(found, count)] for name, pick in PICKS.items()}
    return picked | {"all": rows}, time.process_time() - begun


def measured(shop: Any, rows: Any, folder: Path) -> dict[str, Any]:
    """A training on `rows`: ROUGE-L of each written answer, and nats and bytes of each reference
    among the test rows."""
    from luthier.data.feed.encode import encode
    from luthier.evaluate.metrics.language import best_scores
    from luthier.evaluate.metrics.rouge import rouge_l
    from luthier.stages.fewshot.candidates import with_rows
    from luthier.stages.parts.answers import score_all, to_predictions
    from luthier.stages.parts.generation import written
    from luthier.stages.training import train

    begun = time.process_time()
    trained = train(with_rows(shop, rows, folder), Silence())
    seconds = time.process_time() - begun
    test = [int(i) for i in shop.prepared.splits.test]
    encoded = encode(shop.prepared.table, shop.contract, shop.head.labels, "test", test)
    exam = shop.exam(encoded, np.arange(len(encoded)))
    scores = score_all(shop.network, shop.head, exam)
    likely = to_predictions(shop.task, shop.head.labels, exam, scores)
    answers = written(shop, shop.network, exam, scores, shop.recipe.evaluate.generate_rows)
    return {
        "rougeL": best_scores(answers, rouge_l).round(5).tolist(),
        "nats": likely.nats.round(4).tolist(),
        "bytes": likely.bytes.tolist(),
        "rows": len(rows),
        "best_step": trained.best_step,
        "validation": trained.best,
        "seconds": seconds,
    }


def cells(seed: int, size: Size, keep: bool, wanted: tuple[str, ...]) -> dict[str, Any]:
    """What each choice gave with one seed, from work/ where it is there already."""
    from luthier.stages.fewshot.rival import put, taken

    files = {name: WORK / f"{seed}-{name}.json" for name in wanted}
    found = {n: json.loads(f.read_text()) for n, f in files.items() if keep and f.is_file()}
    if len(found) == len(wanted):
        return found
    with tempfile.TemporaryDirectory() as place:
        (Path(place) / "run").mkdir()
        shop = prepared(seed, size, Path(place))
        start = taken(shop.network)
        picked, looking = choices(shop, Path(place))
        for name in wanted:
            if name in found:
                continue
            put(shop.network, start)
            found[name] = measured(shop, picked[name], Path(place) / name)
            found[name]["looking"] = looking
            score = float(np.mean(found[name]["rougeL"]))
            print(seed, name, f"ROUGE-L {score:.4f}", f"bits {bits(found[name]):.4f}", flush=True)
            if keep:
                WORK.mkdir(exist_ok=True)
                files[name].write_text(json.dumps(found[name]), encoding="utf-8")
    return found


def bits(cell: dict[str, Any]) -> float:
    """Bits per byte of the references."""
    return float(np.sum(cell["nats"]) / np.sum(cell["bytes"]) / np.log(2))


def interval(ours: list[Any], theirs: list[Any]) -> list[float]:
    """95 % interval of the mean difference, over seeds and rows drawn anew."""
    gaps = np.asarray(ours) - np.asarray(theirs)
    rng = np.random.default_rng(0)
    seeds, rows = gaps.shape
    means = [
        gaps[rng.integers(seeds, size=seeds)][:, rng.integers(rows, size=rows)].mean()
        for _ in range(DRAWS)
    ]
    return [round(float(q), 4) for q in np.quantile(means, [0.025, 0.975])]


def rows_of(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The table."""
    seeds = f"{len(found)} seed" + ("s" if len(found) > 1 else "")

    def mean(name: str) -> float:
        return float(np.mean([np.mean(cell[name]["rougeL"]) for cell in found]))

    def versus(name: str, other: str, must: str, aim: str, met: bool) -> dict[str, Any]:
        pair = [[cell[n]["rougeL"] for cell in found] for n in (name, other)]
        return {
            "what": f"ROUGE-L on a tenth of the rows, {name}, {seeds}", "peer": other,
            "ours": round(mean(name), 4), "theirs": round(mean(other), 4),
            "ratio": round(mean(name) / mean(other), 4), "interval": interval(*pair),
            "must": must, "aim": aim, "met": met,
        }  # fmt: skip

    ratio = mean("joint") / mean("all")
    told = [
        versus("joint", "random", "above", "—", mean("joint") > mean("random")),
        versus("joint", "all", "at least 0.95x", "0.98x", ratio >= 0.95),
        versus("random", "all", "reported", "—", True),
    ]
    for name in ("diverse", "gradient"):
        if all(name in cell for cell in found):
            told.append(versus(name, "random", "reported", "—", True))
    for other in ("random", "all"):
        ours, theirs = (float(np.mean([bits(c[n]) for c in found])) for n in ("joint", other))
        told.append({
            "what": f"bits per byte of the references, joint, {seeds}", "peer": other,
            "ours": round(ours, 4), "theirs": round(theirs, 4), "ratio": round(ours / theirs, 4),
            "interval": None, "must": "reported (lower is better)", "aim": "—", "met": True,
        })  # fmt: skip
    looking = float(np.mean([cell["joint"]["looking"] for cell in found]))
    training = float(np.mean([cell["all"]["seconds"] for cell in found]))
    told.append({
        "what": "CPU seconds to look at the rows", "peer": "training on all",
        "ours": round(looking, 1), "theirs": round(training, 1),
        "ratio": round(looking / training, 3), "interval": None, "must": "reported", "aim": "—",
        "met": True,
    })  # fmt: skip
    return told


def main() -> None:
    """Measures what is missing and writes results.json."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--minutes", type=float, default=600, help="begin no cell after so many")
    given = parser.parse_args()
    seeds, size = (SEEDS[:1], QUICK) if given.quick else (SEEDS, Size())
    begun = time.monotonic()
    found: dict[int, dict[str, Any]] = {}
    for wanted in (CHOICES[:3], CHOICES):
        for seed in seeds:
            if all((WORK / f"{seed}-{n}.json").is_file() for n in wanted) or (
                time.monotonic() - begun < 60 * given.minutes
            ):
                found[seed] = cells(seed, size, not given.quick, wanted)
    rows = rows_of(list(found.values()))
    if not given.quick:
        keep_results(HERE, QUESTION, "python bench/fewshot_generation/run.py", rows)
    for row in rows:
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
