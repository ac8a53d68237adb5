"""How alike the upper layers and all layers rank the same configurations, where both are recorded.

python bench/history/depths.py
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import spearmanr

RECORDS = Path(__file__).resolve().parent / "records" / "depths"
FEWEST = 6


def main() -> None:
    """One line per task: rank correlation, and what the upper layers' favourite costs at depth."""
    for file in sorted(RECORDS.glob("*.jsonl")):
        lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()[1:]]
        ends = {line["key"]: line["curve"][-1] for line in lines}
        pairs = [
            (ends[f"s{key[1:]}"], end)
            for key, end in ends.items()
            if key[0] == "d" and "test" in end and "test" in ends.get(f"s{key[1:]}", {})
        ]
        if len(pairs) >= FEWEST:
            print(f"{file.stem}: {told(pairs)}")


def told(pairs: list[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> str:
    """The agreement of pairs of last points, upper layers first."""
    upper, whole = ([p[side]["test"] for p in pairs] for side in (0, 1))
    chosen = int(np.argmax([p[0]["score"] for p in pairs]))
    return (
        f"{len(pairs)} configurations, rank correlation of test scores "
        f"{spearmanr(upper, whole)[0]:.2f}; on all layers the default reaches {whole[0]:.3f}, the "
        f"best {max(whole):.3f}, the one that leads on the upper layers {whole[chosen]:.3f}"
    )


if __name__ == "__main__":
    main()
