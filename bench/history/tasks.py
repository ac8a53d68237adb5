"""The tasks whose learning curves are recorded: small samples of public sets, texts and labels."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from pathlib import Path

TRAIN, VALIDATION, TEST = 500, 600, 2000
"""Rows of each part; fewer where a set has fewer. Half of the validation rows choose, half confirm;
the test rows are many because configurations differ by a point or two."""


@dataclass(frozen=True)
class RecordedTask:
    """A set, the columns it is read from, and the family that is masked together with it. A
    `pooled` one is divided here: it has no training part, or its test part is small."""

    name: str
    family: str
    text: str = "text"
    label: str = "label"
    pooled: bool = False


TASKS = (
    RecordedTask("banking77", "banking77"),
    RecordedTask("clinc150", "clinc150"),
    RecordedTask("snips", "snips"),
    RecordedTask("bitext_customer_support", "bitext", "prompt"),
    RecordedTask("sms_spam", "sms_spam"),
    RecordedTask("twitter_financial_sentiment", "financial_sentiment"),
    RecordedTask("sentfin", "financial_sentiment"),
    RecordedTask("goemotions", "goemotions"),
    RecordedTask("davidson_hate_offensive", "toxicity"),
    RecordedTask("medquad", "medquad", "prompt"),
    RecordedTask("hatexplain", "toxicity"),
    RecordedTask("cfpb_complaints", "cfpb"),
    RecordedTask("cuad_clauses", "cuad"),
    RecordedTask("medical_abstracts", "medical_abstracts"),
    RecordedTask("wikipedia_toxicity_sample", "toxicity"),
    RecordedTask("contract_nli", "contract_nli"),
    RecordedTask("evidence_inference", "evidence_inference", pooled=True),
    RecordedTask("hatecheck", "toxicity", label="functionality", pooled=True),
    RecordedTask("stereoset", "stereoset", label="group", pooled=True),
    RecordedTask("taskmaster4_coffee", "taskmaster", "prompt", "group", pooled=True),
    RecordedTask("shakespeare_roles", "shakespeare", label="group"),
    RecordedTask("movie_reviews", "movie_reviews", pooled=True),
    RecordedTask("bbq", "bbq", "prompt", "group"),
)


def sample(task: RecordedTask, data: Path, folder: Path) -> dict[str, int]:
    """Writes `train.jsonl` and `check.jsonl` (validation rows, then test rows) into `folder`.

    Where a set has too few validation rows, training rows that are left over fill them up. Labels
    that are not among the sampled training rows are left out of the other parts, and so are texts
    of an earlier part. Returns the number of rows per part.
    """
    seen: set[str] = set()
    parts = {
        p: _rows(task, data / task.name / f"{p}.jsonl", seen)
        for p in ("test", "validation", "train")
    }
    chance = random.Random(f"{task.name} sample")
    if task.pooled:
        everything = [row for rows in parts.values() for row in rows]
        chance.shuffle(everything)
        cut = max(len(everything) - TRAIN - VALIDATION, 0)
        parts = {"test": everything[:cut], "validation": [], "train": everything[cut:]}
    for part in ("train", "validation", "test"):
        chance.shuffle(parts[part])
    train, spare = parts["train"][:TRAIN], parts["train"][TRAIN:]
    known = {label for _, label in train}
    validation = [r for r in (*parts["validation"], *spare) if r[1] in known]
    test = [r for r in parts["test"] if r[1] in known]
    validation, test = validation[:VALIDATION], test[:TEST]
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / "train.jsonl", train)
    _write(folder / "check.jsonl", [*validation, *test])
    return {"train": len(train), "validation": len(validation), "test": len(test)}


def _rows(task: RecordedTask, file: Path, seen: set[str]) -> list[tuple[str, str]]:
    if not file.is_file():
        return []
    found = []
    for line in file.read_text(encoding="utf-8").split("\n"):
        if not line:
            continue
        row = json.loads(line)
        pair = (str(row.get(task.text) or "").strip(), str(row.get(task.label)))
        if pair[0] and row.get(task.label) is not None and pair[0] not in seen:
            seen.add(pair[0])
            found.append(pair)
    return found


def _write(file: Path, rows: list[tuple[str, str]]) -> None:
    lines = [json.dumps({"text": t, "label": label}, ensure_ascii=False) for t, label in rows]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
