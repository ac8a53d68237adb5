"""Records learning curves of many configurations on many tasks, in slices that may be stopped.

    python bench/history/record.py [--configs 32] [--deep 0] [--minutes 60] [--only TASK ...]

Each finished configuration is one line of `records/<task>.jsonl`; what is there is not made again.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from tasks import TASKS, RecordedTask, sample  # noqa: E402

RECORDS = HERE / "records"
DATA = Path(os.environ.get("LUTHIER_DATA", HERE.parents[2] / "shared" / "data"))
EPOCHS, TOKENS, SHALLOW = 4, 48, "third"
SEED = 20261125
ROUNDS = (16, 32, 64)


def main() -> None:
    """Goes through the tasks until all is recorded or the time is over."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--configs", type=int, default=32)
    parser.add_argument("--deep", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--only", nargs="*", default=[])
    asked = parser.parse_args()
    # Cost is processor time; threads that wait for each other would count twice.
    os.environ["OMP_NUM_THREADS"] = "1"
    end = time.monotonic() + 60 * asked.minutes
    RECORDS.mkdir(exist_ok=True)
    chosen = [t for t in TASKS if not asked.only or t.name in asked.only]
    # Round by round, so that a recording that is stopped early has all tasks.
    for configs in [c for c in ROUNDS if c < asked.configs] + [asked.configs]:
        for task in chosen:
            if time.monotonic() < end:
                record(task, configs, 0, end)
    for task in chosen:
        if asked.deep and time.monotonic() < end:
            record(task, 0, asked.deep, end)


def record(task: RecordedTask, configs: int, deep: int, end: float) -> None:
    """The curves of one task that are not on record yet."""
    file = RECORDS / f"{task.name}.jsonl"
    have = (
        [json.loads(line)["key"] for line in file.read_text().splitlines()[1:]]
        if file.exists()
        else []
    )
    if sum(k[0] == "s" for k in have) >= configs and sum(k[0] == "d" for k in have) >= deep:
        return
    with tempfile.TemporaryDirectory() as temporary:
        shared, rows, test = open_task(task, Path(temporary))
        if not file.exists():
            write_head(file, task, shared, rows)
        lines = [json.loads(line) for line in file.read_text().splitlines()[1:]]
        done, slower = {line["key"] for line in lines}, pace(shared, lines, test)
        for key, config in wanted(shared, configs, deep):
            if key in done:
                continue
            if time.monotonic() > end:
                return
            line = {"key": key, "config": config, "curve": curve(shared, key, config, test)}
            if slower != 1:
                line["pace"] = round(slower, 3)
                for point in line["curve"]:
                    if not point.get("diverged"):
                        point["cost"] /= slower
            with file.open("a", encoding="utf-8") as out:
                out.write(json.dumps(line) + "\n")
            print(task.name, key, line["curve"][-1]["score"], flush=True)


def pace(shared: Any, lines: list[dict[str, Any]], test: np.ndarray) -> float:
    """How much longer this machine takes today than the one of the first lines: one of those
    configurations once more. Costs are written as that one would have had them."""
    known = next((line for line in lines if line["key"] == "s001"), None)
    if known is None:
        return 1.0
    again = curve(shared, "again", known["config"], test)
    # Without the first look, which may have filled the cache that all trials share.
    took = [points[-1]["cost"] - points[0]["cost"] for points in (again, known["curve"])]
    return float(took[0] / took[1])


def wanted(shared: Any, configs: int, deep: int) -> list[tuple[str, dict[str, Any]]]:
    """Configurations in order: some by hand, then by turns one spread evenly over the space, as a
    sampler that knows nothing would draw it, and one by our prior; the same for all tasks."""
    from luthier.stages.tuning.configured import DEPTH, default_space

    space = default_space(shared.shop.recipe, shared.shop.task)
    default = dict(space.default)
    by_hand = [default] + [
        {**default, "rate_offset": offset, **more}
        for offset, more in (
            (-0.9, {}), (-0.45, {}), (0.3, {}), (0.6, {}), (0.0, {"train.head_rate": 10.0}),
            (0.3, {"adapter.b_rate": 4.0, "train.batch_size": 16}),
            (-0.45, {"adapter.rank": 4, "train.batch_size": 64}), (0.0, {"train.probe_start": 1.0}),
            (-0.45, {"train.probe_start": 1.0}),
        )
    ]  # fmt: skip
    spread = zip(evenly(space, 64), map(dict, space.spread(64, SEED)), strict=True)
    points = [*by_hand, *(config for pair in spread for config in pair)]
    shallow = [(f"s{i:03d}", {**c, DEPTH: SHALLOW}) for i, c in enumerate(points[:configs])]
    return shallow + [(f"d{i:03d}", {**c, DEPTH: "all"}) for i, c in enumerate(points[:deep])]


def evenly(space: Any, count: int) -> list[dict[str, Any]]:
    """A Sobol sequence over the whole space, every value as likely as any other."""
    from scipy.stats import qmc

    from luthier.search.parameter import Range

    found = []
    for draw in qmc.Sobol(len(space.parameters), seed=SEED).random(count):
        config: dict[str, Any] = {}
        for parameter, u in zip(space.parameters, draw, strict=True):
            if not isinstance(parameter, Range):
                config[parameter.name] = parameter.options[int(u * len(parameter.options))]
                continue
            low, high = parameter.low, parameter.high
            if parameter.log:
                config[parameter.name] = float(f"{low * (high / low) ** u:.6g}")
            else:
                config[parameter.name] = float(f"{low + (high - low) * u:.6g}")
        found.append(config)
    return found


def open_task(task: RecordedTask, folder: Path) -> tuple[Any, dict[str, int], np.ndarray]:
    """The resident base of a task, its rows per part, and the examples of the test part."""
    from luthier.core.progress import Silence
    from luthier.recipe.load import recipe_from_dict
    from luthier.stages.tuning.rows import Halves
    from luthier.stages.tuning.shared import SharedBase
    from luthier.stages.workshop import set_up

    rows = sample(task, DATA, folder)
    recipe = recipe_from_dict(
        {
            "task": "classify",
            "data": {"train": "train.jsonl", "validation": "check.jsonl", "allow_leakage": True,
                     "split": {"test": 0.0}, "columns": {"text": "text", "label": "label"}},
            "model": {"id": "embedded:encoder", "max_tokens": TOKENS, "precision": "float32"},
            "fewshot": {"enabled": "off"},
            "train": {"epochs": EPOCHS, "patience": None},
        },
        task.name,
    )  # fmt: skip
    shop = set_up(recipe, folder, folder / "run", None, Silence())
    check = shop.part(shop.prepared.splits.validation)
    order = check[np.argsort(shop.encoded.rows[check], kind="stable")]
    half = rows["validation"] // 2
    halves = Halves(order[:half], order[half : rows["validation"]])
    return SharedBase.begin(shop, folder / "study", halves), rows, order[rows["validation"] :]


def write_head(file: Path, task: RecordedTask, shared: Any, rows: dict[str, int]) -> None:
    """The first line: what the task looks like."""
    from luthier.stages.tuning.features import anchor, task_features

    head = {
        "format": 1,
        "task": task.name,
        "family": task.family,
        "metric": shared.metric,
        "rows": rows,
        "epochs": EPOCHS,
        "anchor": anchor(shared),
        "features": task_features(shared),
        "base": shared.shop.base.hash,
        "steps_at_32": shared.shop.timing.steps,
    }
    file.write_text(json.dumps(head) + "\n", encoding="utf-8")


def curve(shared: Any, key: str, config: dict[str, Any], test: np.ndarray) -> list[dict[str, Any]]:
    """One trial from its first update to its last, looked at after 1, 2, 4, 8 and 16 units."""
    from luthier.core.errors import LowerLearningRate
    from luthier.evaluate.measure import metrics_of
    from luthier.search.trial import DECISIONS, Slice

    found: list[dict[str, Any]] = []
    for unit in DECISIONS:
        piece = Slice(key, config, unit)
        try:
            seen = shared.advance(piece)
        except LowerLearningRate:
            found.append({"unit": unit, "diverged": True})
            break
        point = seen.as_dict() | {"losses": packed(seen.losses), "right": bits(seen.right)}
        if unit == DECISIONS[-1]:
            for name, rows in (("second", shared.halves.second), ("test", test)):
                answers = shared.measured(piece, rows)
                right = answers.probabilities.argmax(1) == answers.truth
                point[name] = metrics_of(answers)[shared.metric]
                point[f"{name}_right"] = bits(right)
        found.append(point)
    shutil.rmtree(shared.folder / "trials" / key, ignore_errors=True)
    return found


def packed(values: np.ndarray) -> str:
    """Half-precision numbers as text."""
    return base64.b64encode(values.astype(np.float16).tobytes()).decode()


def bits(values: np.ndarray) -> str:
    """Booleans as text."""
    return base64.b64encode(np.packbits(values).tobytes()).decode()


if __name__ == "__main__":
    main()
