"""The sets of the measurement: rows, what is said about their classes, and kept vectors."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from luthier.core.types import Task
from luthier.data.feed.batches import BatchPlan
from luthier.data.feed.contract import PromptContract
from luthier.data.feed.example import encode_texts
from luthier.evaluate.baseline import humanise
from luthier.models.base import BaseSpec, load_base
from luthier.models.network import Network
from luthier.models.places import default_id
from luthier.stages.parts.answers import Exam, features
from luthier.stages.predicting import without_truth

DATA = Path(os.environ.get("LUTHIER_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
SETS = (
    "snips",
    "twitter_financial_sentiment",
    "mts_dialog",
    "sentfin",
    "medical_abstracts",
    "banking77",
    "clinc150",
    "goemotions",
)
MOST_TRAIN, MOST_TEST = 12000, 3000
WORDS = json.loads((Path(__file__).parent / "descriptions.json").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Part:
    """Texts with class numbers (N,) and vectors (N, D)."""

    texts: list[str]
    truth: np.ndarray
    vectors: np.ndarray


@dataclass(frozen=True)
class Set:
    """One task: its classes, what is said about them, and its two parts."""

    name: str
    labels: tuple[str, ...]
    said: list[str]
    described: np.ndarray
    train: Part
    test: Part


class Vectors:
    """The embedded encoder's vectors of texts."""

    def __init__(self) -> None:
        torch.set_num_threads(1)
        base = load_base(BaseSpec(id=default_id(Task.CLASSIFY)), Task.CLASSIFY)
        self.base = base
        self.network = Network(base.network, None, "mean", "encoder")
        self.contract = PromptContract(base.tokenizer, None, (), 256, "truncate")

    def of(self, texts: list[str]) -> np.ndarray:
        """Vectors (N, D)."""
        encoded = without_truth(encode_texts(texts, self.contract, False), Task.CLASSIFY)
        plan = BatchPlan(32, 0, 0)
        return features(self.network, Exam(encoded, np.arange(len(texts)), None, plan))


def load(name: str, work: Path, vectors: Vectors | None = None) -> Set:
    """A set with its vectors, from `work` where they are kept."""
    rows = {part: _rows(name, part) for part in ("train", "test")}
    known = {t for t, _ in rows["test"]}
    rows["train"] = [(t, y) for t, y in rows["train"] if t not in known]
    labels = tuple(sorted({y for _, y in rows["train"]}))
    number = {y: i for i, y in enumerate(labels)}
    rows["test"] = [(t, y) for t, y in rows["test"] if y in number]
    file = work / f"{name}.npz"
    said = [f"{humanise(y)}. {WORDS.get(name, {}).get(y, '')}".strip(" .") for y in labels]
    if not file.is_file():
        reader = vectors or Vectors()
        file.parent.mkdir(parents=True, exist_ok=True)
        made = {part: reader.of([t for t, _ in found]) for part, found in rows.items()}
        np.savez(file, **made)
    kept = np.load(file, allow_pickle=False)
    told = _told(name, said, work, vectors)
    parts = {
        part: Part([t for t, _ in found], np.array([number[y] for _, y in found]), kept[part])
        for part, found in rows.items()
    }
    return Set(name, labels, said, told, parts["train"], parts["test"])


def _told(name: str, said: list[str], work: Path, vectors: Vectors | None) -> np.ndarray:
    file, words = work / f"{name}-said.npy", work / f"{name}-said.json"
    if not words.is_file() or json.loads(words.read_text(encoding="utf-8")) != said:
        np.save(file, (vectors or Vectors()).of(said))
        words.write_text(json.dumps(said), encoding="utf-8")
    return np.load(file, allow_pickle=False)


def _rows(name: str, part: str) -> list[tuple[str, str]]:
    lines = (DATA / name / f"{part}.jsonl").read_text(encoding="utf-8").split("\n")
    found: dict[str, str] = {}
    for line in filter(None, lines):
        row = json.loads(line)
        found.setdefault(str(row.get("text", row.get("prompt"))), str(row["label"]))
    rows = list(found.items())
    most = MOST_TRAIN if part == "train" else MOST_TEST
    if len(rows) > most:
        chosen = np.sort(np.random.default_rng(0).permutation(len(rows))[:most])
        rows = [rows[i] for i in chosen]
    return rows
