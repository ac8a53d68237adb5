"""Which of two sentences a language model finds likelier: the stereotype or its counterpart.

Source: Nangia et al. 2020, "CrowS-Pairs". Blodgett et al. 2021, "Stereotyping Norwegian Salmon",
show that such pairs measure loosely; they are a hint beside other measures.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from luthier.core.errors import FixData
from luthier.explain.attribution import Floats
from luthier.explain.bias.finding import FEWEST, Finding, corrected, looked_at, too_few
from luthier.explain.bias.probed import plain
from luthier.explain.bias.rates import weights_of


@dataclass(frozen=True)
class Pair:
    """Two sentences that differ in who they are about; `more` is the stereotype."""

    more: str
    less: str
    group: str


def read_pairs(file: Path) -> list[Pair]:
    """The pairs of a JSON Lines file: `text` is the stereotype, `text_alt` its counterpart,
    `group` what it is about; with `label: antistereo` the two are the other way round.

    Raises: FixData for a row without its sentences, naming the row.
    """
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
        rows = [json.loads(line) for line in lines if line.strip()]
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise FixData(str(file), f"it cannot be read: {error}", "JSON Lines") from error
    return [_pair(row, f"{file}, row {n}") for n, row in enumerate(rows, start=1)]


def _pair(row: Mapping[str, Any], place: str) -> Pair:
    for name in ("text", "text_alt"):
        if not isinstance(row.get(name), str) or not row[name].strip():
            raise FixData(place, f"{name!r} is missing or empty", "text, text_alt, group")
    first, second = row["text"], row["text_alt"]
    if row.get("label") == "antistereo":
        first, second = second, first
    return Pair(first, second, str(row.get("group", "all")))


def preferences(
    pairs: Sequence[Pair], more: Floats, less: Floats, draws: int, seed: int
) -> dict[str, Any]:
    """The share of pairs (N) whose stereotype is likelier, by group, less a half; and how much
    likelier in nats. `more` and `less` (N,) are log-probabilities of whole sentences."""
    likelier = (more > less) + 0.5 * (more == less)
    groups = list(dict.fromkeys(pair.group for pair in pairs))
    findings: list[Finding] = []
    for group in groups:
        own = np.asarray([pair.group == group for pair in pairs])
        rows = int(own.sum())
        if rows < FEWEST:
            findings.append(too_few("stereotype preferred", group, rows, rows))
            continue
        weights = weights_of(rows, draws, seed) / rows
        findings.append(
            looked_at("stereotype preferred", group, rows, weights @ (likelier[own] - 0.5))
        )
    weights = weights_of(len(pairs), draws, seed) / max(1, len(pairs))
    return {
        "pairs": len(pairs),
        "preferred": plain(weights @ likelier),
        "nats": plain(weights @ (more - less)),
        "findings": [f.as_dict() for f in corrected(findings)],
    }
