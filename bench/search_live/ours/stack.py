"""A search of one trial that may join the network with words, and what each says of the test."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from gate import Gate

from luthier.core.progress import Silence
from luthier.data.feed.batches import BatchPlan
from luthier.data.feed.example import encode_texts
from luthier.fewshot.forms.blend import Blend
from luthier.fewshot.head import LadderHead
from luthier.models.head import Head
from luthier.recipe.load import recipe_from_dict
from luthier.stages.api import run
from luthier.stages.parts.answers import Exam, score_all
from luthier.stages.parts.keeping import Tuned, open_tuned
from luthier.stages.predicting import without_truth
from luthier.stages.workshop import pad_id
from luthier.store.store import Store
from recipe import recipe


def main() -> None:
    """Answers which test rows what ships gets right, and which the network alone does."""
    gate = Gate()
    given, place = gate.given, Path(gate.given["place"])
    torch.set_num_threads(given["threads"])
    store = Store.open(folder=place / "home")
    done = run(recipe_from_dict(recipe(given, "1 trials"), given["name"]), place, Silence(), store)
    assert done.search is not None
    tuned = open_tuned(done.path, Silence())
    lines = (place / "test.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    ships = right(tuned, tuned.head, rows)
    alone = ships
    if isinstance(tuned.head, LadderHead):
        assert isinstance(tuned.head.fitted, Blend)
        alone = right(tuned, replace(tuned.head, fitted=tuned.head.fitted.members[0]), rows)
    gate.tell(ships=ships, alone=alone, stack=done.search["stack"])


def right(tuned: Tuned, head: Head, rows: list[dict[str, str]]) -> str:
    """One digit per test row, 1 where the answer of a head is right."""
    examples = encode_texts([row["text"] for row in rows], tuned.contract)
    plan = BatchPlan(32, 0, pad_id(tuned.base))
    encoded = without_truth(examples, tuned.task)
    exam = Exam(encoded, np.arange(len(rows)), None, plan)  # type: ignore[arg-type]
    names = head.labels.names
    found = [names[int(s.argmax())] for s in score_all(tuned.network, head, exam)]
    return "".join(str(int(a == r["label"])) for a, r in zip(found, rows, strict=True))


if __name__ == "__main__":
    main()
