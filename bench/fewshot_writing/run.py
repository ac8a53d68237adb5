"""Few rows for a model that writes: is the way that is chosen as good as the best? See README.md.

python bench/fewshot_writing/run.py              # cells that are there are kept in work/
python bench/fewshot_writing/run.py --minutes 5  # begins no further cell after so many
python bench/fewshot_writing/run.py --quick      # one small cell; keeps nothing
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "training")]

import numpy as np  # noqa: E402
from ledger import keep_results  # noqa: E402

from luthier.core.progress import Silence  # noqa: E402

QUESTION = "Is the way chosen for few rows of instructions as good as the best of all?"
WORK = HERE / "work"
DATA = Path(os.environ.get("LUTHIER_DATA", HERE.parents[2] / "shared" / "data"))
SETS = {
    "snips": ("text", "label"),
    "twitter_financial_sentiment": ("text", "label"),
    "e2e_nlg": ("prompt", "response"),
}
"""Columns of question and answer."""
LEFT_OUT = {"e2e_nlg": ("against", "t-few")}
"""Ways that take too long on a set: its rows are long, and these read each answer thrice."""
BUDGETS = (16, 64)
SEEDS = (0, 1, 2)
TESTED, WRITTEN = 120, 24
DRAWS = 2000
FEW, PASSES = "five passes", 5
"""What a run would do if few rows were passed no more often than many."""


def shop_of(name: str, rows: int, seed: int, folder: Path, epochs: float = 0) -> Any:
    """A workshop of so many rows drawn by the seed; test rows are the same for every seed."""
    from luthier.recipe.load import recipe_from_dict
    from luthier.stages.workshop import set_up

    asked, told = SETS[name]
    for part, count, lot in (("train", rows, seed), ("test", TESTED, 0)):
        lines = (DATA / name / f"{part}.jsonl").read_text(encoding="utf-8").splitlines()
        some = np.random.default_rng(lot).permutation(len(lines))[:count]
        found = [json.loads(lines[i]) for i in some]
        made = [{"prompt": row[asked], "response": row[told].replace("_", " ")} for row in found]
        text = "".join(json.dumps(row) + "\n" for row in made)
        (folder / f"{part}.jsonl").write_text(text, encoding="utf-8")
    content = {
        "task": "instruct",
        "model": {"id": "embedded:causal"},
        "data": {"train": "train.jsonl", "test": "test.jsonl", "allow_leakage": True},
        "train": {"seed": seed, "epochs": epochs},
        "evaluate": {"generate_rows": WRITTEN, "max_new_tokens": 48, "forgetting": False},
        "fewshot": {"enabled": "on", "minutes": 600, "rungs": list(tried(name))},
    }
    return set_up(recipe_from_dict(content), folder, folder / "run", None, Silence())


def tried(name: str) -> tuple[str, ...]:
    """Ways that are tried on a set."""
    from luthier.fewshot.writing import NAMES

    return tuple(way for way in NAMES if way not in LEFT_OUT.get(name, ()))


def tested(shop: Any, way: Any) -> dict[str, Any]:
    """Nats and bytes of each test reference, and ROUGE-L of written answers, by a way that is
    made from all training rows."""
    from luthier.evaluate.metrics.language import best_scores
    from luthier.evaluate.metrics.rouge import rouge_l
    from luthier.stages.fewshot.rival import put, taken
    from luthier.stages.parts.answers import score_all, to_predictions
    from luthier.stages.parts.generation import written
    from luthier.stages.writing.trial import own_shop, shown_exam, shown_rows, trained_by

    begun = time.process_time()
    mine = own_shop(shop, way, Silence())
    start = taken(mine.network)
    if way.trains:
        trained_by(mine, way, Silence())
    seconds = time.process_time() - begun
    test = mine.prepared.splits.test
    exam = _plain(mine, test)
    if way.shown:
        exam = shown_exam(mine, shown_rows(mine, mine.prepared.splits.train), test)
    scores = score_all(mine.network, mine.head, exam)
    likely = to_predictions(mine.task, mine.head.labels, exam, scores)
    said = written(mine, mine.network, exam, scores, WRITTEN)
    put(mine.network, start)
    return {
        "nats": likely.nats.round(4).tolist(),
        "bytes": likely.bytes.tolist(),
        "rougeL": best_scores(said, rouge_l).round(5).tolist(),
        "seconds": round(seconds, 2),
    }


def _plain(shop: Any, rows: Any) -> Any:
    from luthier.data.feed.encode import encode

    some = [int(i) for i in rows]
    encoded = encode(shop.prepared.table, shop.contract, shop.head.labels, "test", some)
    return shop.exam(encoded, np.arange(len(encoded)))


def cell(name: str, rows: int, seed: int) -> dict[str, Any]:
    """Every way on the test rows, and what the ladder chose without them."""
    from luthier.fewshot.writing import WAYS
    from luthier.stages.writing.climb import chosen_way

    with tempfile.TemporaryDirectory() as place:
        (Path(place) / "run").mkdir()
        shop = shop_of(name, rows, seed, Path(place))
        found = {way.name: tested(shop, way) for way in WAYS if way.name in tried(name)}
        begun = time.process_time()
        told = chosen_way(shop, Silence())
        seconds = time.process_time() - begun
        few = shop_of(name, rows, seed, Path(place), PASSES)
        found[FEW] = tested(few, next(way for way in WAYS if way.name == "trained"))
    return {"ways": found, "told": told, "seconds": round(seconds, 1)}


def bits(way: dict[str, Any]) -> float:
    """Bits per byte of the references."""
    return float(np.sum(way["nats"]) / np.log(2) / np.sum(way["bytes"]))


def kept_cell(key: tuple[str, int, int], begin: bool, keep: bool) -> dict[str, Any] | None:
    """A cell from work/, or measured now."""
    file = WORK / f"{key[0]}-{key[1]}-{key[2]}.json"
    if keep and file.is_file():
        return dict(json.loads(file.read_text()))
    if not begin:
        return None
    found = cell(*key)
    told = {way: f"{bits(each):.3f}" for way, each in found["ways"].items()}
    print(key, found["told"]["rung"], told, f"{found['seconds']} s", flush=True)
    if keep:
        WORK.mkdir(exist_ok=True)
        file.write_text(json.dumps(found), encoding="utf-8")
    return found


def interval(apart: list[float]) -> list[float]:
    """Ends of the 95 % interval of a mean over cells."""
    drawn = np.random.default_rng(0).choice(apart, (DRAWS, len(apart))).mean(axis=1)
    return [round(float(v), 4) for v in np.quantile(drawn, [0.025, 0.975])]


def rows_of(found: dict[tuple[str, int, int], dict[str, Any]]) -> list[dict[str, Any]]:
    """The table."""
    told: list[dict[str, Any]] = []

    def line(what: str, peer: str, ours: Any, theirs: Any, **more: Any) -> None:
        told.append({
            "what": what, "peer": peer, "ours": ours, "theirs": theirs, "ratio": None,
            "interval": None, "must": "reported", "aim": "—", "met": True, **more,
        })  # fmt: skip

    for metric, value, better in (("bits per byte", bits, min), ("ROUGE-L", rouge, max)):
        for rows in BUDGETS:
            for way in ("as-is", "shown", FEW, "against", "t-few"):
                some = [
                    c["ways"] for (_, n, _), c in found.items() if n == rows and way in c["ways"]
                ]
                if not some:
                    continue
                mean, usual = (
                    float(np.mean([value(c[w]) for c in some])) for w in (way, "trained")
                )
                line(
                    f"{metric}, {rows} rows, {way}, mean of {len(some)} cells",
                    "trained as a run does", round(mean, 4), round(usual, 4),
                )  # fmt: skip
        sign = 1 if better is min else -1
        for label in ("chosen", "always trained", f"always {FEW}"):
            lost = []
            for each in found.values():
                best = better(map(value, each["ways"].values()))
                lost.append(sign * (value(each["ways"][taken_by(label, each)]) - best))
            line(
                f"{metric} lost to the best way in hindsight, {label}, {len(found)} cells",
                "best in hindsight", round(float(np.mean(lost)), 4), 0, interval=interval(lost),
            )  # fmt: skip
    lost = {
        k: bits(found[k]["ways"][found[k]["told"]["rung"]]) - bits(found[k]["ways"]["trained"])
        for k in found
    }
    worse = sum(v > 1e-9 for v in lost.values())
    line(
        "bits per byte of the way chosen", "trained as a run does",
        round(float(np.mean([bits(c["ways"][c["told"]["rung"]]) for c in found.values()])), 4),
        round(float(np.mean([bits(c["ways"]["trained"]) for c in found.values()])), 4),
        must="not above", met=float(np.mean(list(lost.values()))) <= 0,
        interval=interval(list(lost.values())),
    )  # fmt: skip
    left = sum(c["told"]["rung"] != "trained" for c in found.values())
    line("cells in which another way was taken, and was worse (theirs)", "—", left, worse)
    return told


def taken_by(label: str, found: dict[str, Any]) -> str:
    """The way that is taken in a cell."""
    return str(found["told"]["rung"]) if label == "chosen" else label.removeprefix("always ")


def rouge(way: dict[str, Any]) -> float:
    """Mean ROUGE-L of written answers."""
    return float(np.mean(way["rougeL"]))


def main() -> None:
    """Measures what is missing and writes results.json."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--minutes", type=float, default=600, help="begin no cell after so many")
    parser.add_argument("--only", nargs="*", default=[], help="names of sets to measure now")
    given = parser.parse_args()
    keys = [(name, rows, seed) for seed in SEEDS for rows in BUDGETS for name in SETS]
    begun, found = time.monotonic(), {}
    for key in keys[:1] if given.quick else keys:
        begin = time.monotonic() - begun < 60 * given.minutes
        begin = begin and (not given.only or key[0] in given.only)
        made = kept_cell(key, begin, not given.quick)
        if made is not None:
            found[key] = made
    told = rows_of(found)
    if not given.quick:
        keep_results(HERE, QUESTION, "python bench/fewshot_writing/run.py", told)
    for row in told:
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
