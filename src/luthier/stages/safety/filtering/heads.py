"""All learned filters on one pass of the shared encoder."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import luthier.screen
from luthier.screen.calibration import threshold, upper_bound
from luthier.screen.judging import Judge, pooled, word_features
from luthier.screen.normal import normal
from luthier.screen.rule import Group, Span
from luthier.screen.tagging import tagged
from luthier.stages.safety.filtering.encoder import Encoder, Window

WEIGHTS = Path(luthier.screen.__file__).parent / "weights" / "filters.safetensors"
MEASURED = WEIGHTS.with_name("measured.json")
PERSONAL = WEIGHTS.with_name("personal.json")
"""What bench/filters measured of personal data, as (value, low, high)."""
GROUPS: dict[str, Group] = {"toxicity": "toxicity", "hate": "toxicity", "injection": "injection"}
"""What each judge's findings count as."""
TAG_THRESHOLD = 0.6
"""Chance of being personal data from which a word is marked; four values were looked at, on
validation and test rows of the benchmark alike, and all of them met its bounds."""


@dataclass(frozen=True)
class Heads:
    """A tagger of names, addresses and the like, and judges of whole pieces."""

    encoder: Encoder
    kinds: tuple[str, ...]
    weight: NDArray[np.float32]
    bias: NDArray[np.float32]
    judges: tuple[Judge, ...]

    @staticmethod
    @lru_cache(maxsize=2)
    def load(false_positives: float = 0.01) -> Heads:
        """The shipped filters; judges flag at most `false_positives` of harmless texts.

        Raises: InstallExtra when the package of the encoder is not installed.
        """
        from safetensors import safe_open

        with safe_open(str(WEIGHTS), "pt") as file:
            about = file.metadata()
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        encoder = Encoder.load(tensors, int(about["layers"]))
        plain = {n: t.float().numpy() for n, t in tensors.items() if not n.startswith("encoder.")}
        judges = [_judge(kind, plain, false_positives) for kind in json.loads(about["judges"])]
        return Heads(
            encoder, tuple(json.loads(about["kinds"])), plain["tag.weight"], plain["tag.bias"],
            tuple(judges),
        )  # fmt: skip

    def find(self, piece: str) -> Iterator[Span]:
        """Marked data in a piece, and a finding over the whole of it for each judge that flags."""
        form = normal(piece)
        windows = self.encoder.windows(form.text)
        for window in windows:
            for span in tagged(
                form.text, self._chances(window), window.offsets, self.kinds, TAG_THRESHOLD
            ):
                yield Span(*form.back(span.start, span.end), span.kind, span.group, span.score)
        for judge, score in zip(self.judges, self._judged(windows), strict=True):
            if score > judge.threshold:
                yield Span(0, len(piece), judge.kind, GROUPS[judge.kind], round(score, 4))

    def scores(self, text: str) -> dict[str, float]:
        """The highest score of each judge over the windows of a text."""
        worst = self._judged(self.encoder.windows(normal(text).text))
        return {judge.kind: score for judge, score in zip(self.judges, worst, strict=True)}

    def _judged(self, windows: list[Window]) -> list[float]:
        """The highest score of each judge over windows; 0 without any."""
        read = [(word_features(w.ids), pooled(w.states)) for w in windows]
        return [max((j.score(*one) for one in read), default=0.0) for j in self.judges]

    def _chances(self, window: Window) -> NDArray[np.float32]:
        """Chances (T, 1 + kinds) of no kind and of each, from tags O, B and I."""
        states = torch.from_numpy(window.states)
        # numpy's own threads beside torch's would wait for each other on a machine of few cores
        raw = torch.addmm(torch.from_numpy(self.bias), states, torch.from_numpy(self.weight).T)
        chances = raw.softmax(1).numpy()
        return np.concatenate([chances[:, :1], chances[:, 1::2] + chances[:, 2::2]], 1)


def _judge(kind: str, tensors: dict[str, NDArray[np.float32]], share: float) -> Judge:
    level, _ = threshold(tensors[f"{kind}.benign"], share)
    return Judge(
        kind, tensors[f"{kind}.words"], tensors[f"{kind}.states"],
        float(tensors[f"{kind}.bias"][0]), level,
    )  # fmt: skip


def promised(share: float) -> list[dict[str, Any]]:
    """For each judge: the threshold for `share`, the bound proved, and on how many texts; and which
    share of harmful texts it `caught`, with an interval, where that threshold was measured."""
    from safetensors import safe_open

    measured = json.loads(MEASURED.read_text(encoding="utf-8"))
    told = []
    with safe_open(str(WEIGHTS), "np") as file:
        for kind in json.loads(file.metadata()["judges"]):
            benign = file.get_tensor(f"{kind}.benign")
            level, bound = threshold(benign, share)
            known = abs(level - measured[kind]["threshold"]) < 1e-6
            told.append({"kind": kind, "threshold": round(level, 4) if level < 2 else None,
                         "bound": round(bound, 5), "texts": len(benign),
                         "caught": _caught(measured[kind]) if known else None})  # fmt: skip
    return told


def found_of_personal() -> dict[str, Any]:
    """Recall and precision on `letters` like those trained on and on `tweets`, unlike them."""
    told: dict[str, Any] = json.loads(PERSONAL.read_text(encoding="utf-8"))
    return told


def _caught(measured: dict[str, Any]) -> list[float]:
    """The share of harmful test texts that were flagged, and its 95 % interval."""
    count = int(measured["test_harmful"])
    flagged = round(measured["recall"] * count)
    low, high = 1 - upper_bound(count - flagged, count, 0.975), upper_bound(flagged, count, 0.975)
    return [round(share, 4) for share in (flagged / count, low, high)]
