"""The rows of results.json, from what was kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
PEERS = ("reweigh", "augment", "augment with mentions", "robust", "fairlearn")
MUST, AIM = 0.30, 0.50


def write(kept: dict[str, Any], lora: dict[str, Any] | None, question: str, nulls: int) -> None:
    """results.json: the whole repair of a run, the output layer alone, and null repairs."""
    from ledger import keep_results

    rows: list[dict[str, Any]] = []
    if lora is not None:
        rows += _whole(lora)
    ours = _middle(kept, "pair 0.3")
    for peer in PEERS:
        rows.append(_less(f"output layer only: {NAME}", peer, ours, _middle(kept, peer)))
    rows += _nulls(kept, nulls)
    keep_results(HERE, question, "python bench/bias/run.py", rows)


NAME = "share of FPED on held-out words that went, davidson_hate_offensive"


def _middle(kept: dict[str, Any], name: str) -> dict[str, Any]:
    """The seed in the middle by how much bias went."""
    seeds = sorted(kept[name]["seeds"], key=lambda s: s["less"][0])
    found: dict[str, Any] = seeds[len(seeds) // 2]
    return found


def _less(what: str, peer: str, ours: dict[str, Any], theirs: dict[str, Any]) -> dict[str, Any]:
    good = ours["less"][0] >= MUST and ours["macro_f1"][2] > -0.02
    return {
        "what": what, "peer": peer, "ours": ours["less"][0], "theirs": theirs["less"][0],
        "ratio": None, "interval": ours["less"][1:], "must": "30 % less, quality not inferior",
        "aim": "50 % less", "met": good,
    }  # fmt: skip


def _whole(told: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows of a whole repair as `luthier repair --json` tells it; the middle of three seeds."""
    seeds = sorted(told["seeds"], key=lambda s: s["conditions"][1]["value"])
    middle = seeds[len(seeds) // 2]
    quality, less = middle["conditions"][:2]
    f1 = middle["metrics"]["macro_f1"]
    kind = f"luthier repair --kind {told['kind']}"
    return [
        {
            "what": f"{kind}: {NAME}", "peer": "the run before", "ours": less["value"],
            "theirs": 0.0, "ratio": None, "interval": [less["low"], less["high"]],
            "must": "30 % less", "aim": "50 % less", "met": less["value"] >= MUST and less["held"],
        },
        {
            "what": f"{kind}: macro-F1 on the 2,477 test rows", "peer": "the run before",
            "ours": f1[1], "theirs": f1[0], "ratio": None,
            "interval": [quality["low"], quality["high"]], "must": "not inferior by 0.02",
            "aim": "0.01 less at most", "met": quality["held"],
        },
        {
            "what": f"{kind}: seeds of three that meet every condition", "peer": "the gate",
            "ours": float(sum(all(c["held"] for c in s["conditions"]) for s in seeds)),
            "theirs": 3.0, "ratio": None, "interval": None, "must": "3", "aim": "3",
            "met": told["accepted"],
        },
    ]  # fmt: skip


def _nulls(kept: dict[str, Any], nulls: int) -> list[dict[str, Any]]:
    from scipy.stats import beta

    done = [kept[f"null {i}"] for i in range(nulls) if f"null {i}" in kept]
    if not done:
        return []
    taken = sum(one["accepted"] for one in done)
    high = float(beta.ppf(0.975, taken + 1, len(done) - taken))
    low = float(beta.ppf(0.025, taken, len(done) - taken + 1)) if taken else 0.0
    return [
        {
            "what": f"share of {len(done)} null repairs accepted (output layer)",
            "peer": "the gate", "ours": taken / len(done), "theirs": None, "ratio": None,
            "interval": [low, high], "must": f"at most 5 % of {nulls}", "aim": "0",
            # Those that were not tried yet might be accepted.
            "met": taken + nulls - len(done) <= 0.05 * nulls,
        }
    ]  # fmt: skip


def read(file: Path) -> dict[str, Any] | None:
    """A JSON file, or None where there is none."""
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None  # type: ignore[no-any-return]
