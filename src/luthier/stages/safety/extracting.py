"""Whether a tuned model that writes gives away numbers and passages of its training rows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from luthier.core.progress import Progress
from luthier.core.seeds import derive
from luthier.core.types import Task
from luthier.data.feed.encode import encode
from luthier.data.table import Table
from luthier.models.network import Network
from luthier.privacy.audits.exposure import Exposure, Extraction, alike, exposure, share
from luthier.stages.parts.answers import Exam
from luthier.stages.parts.keeping import Tuned, untouched
from luthier.stages.safety.gains import losses_of

_NUMBER = re.compile(r"(?<!\d)\d{4,16}(?!\d)")
SECRETS = 10
"""At most so many numbers in the training rows are tried."""
CANDIDATES = 255
"""Against each of them, so many random numbers of its length."""
PASSAGES = 100
LENGTHS = ((32, 20), (16, 12))
"""Tokens of a passage that are given and that have to follow; the first that fits is taken."""


class Variants:
    """A row in several versions, to be encoded."""

    def __init__(self, task: Task, rows: Sequence[dict[str, Any]]) -> None:
        self.task = task
        self._rows = list(rows)

    def __len__(self) -> int:
        """Number of versions."""
        return len(self._rows)

    def row(self, index: int) -> dict[str, Any]:
        """One version."""
        return self._rows[index]

    def take(self, indices: Sequence[int]) -> Iterator[dict[str, Any]]:
        """Several, in order."""
        return (self._rows[index] for index in indices)

    def source_row(self, index: int) -> int:
        """Its number."""
        return index + 1


def exposures(
    tuned: Tuned, table: Table, rows: Sequence[int], seed: int, progress: Progress
) -> list[Exposure]:
    """For numbers of 4 to 16 digits in the training rows: how far the tuned model, against the
    untouched base, prefers them to random numbers of their length. At most ten rows."""
    found = []
    random = np.random.default_rng(derive(seed, "candidates"))
    for row in rows:
        content = table.row(int(row))
        numbers = sorted(set(_NUMBER.findall(_strings(content))))
        if not numbers:
            continue
        secret = numbers[0]
        others = _candidates(secret, random)
        rows_tried = [content, *(_replaced(content, secret, other) for other in others)]
        told = _told(tuned, rows_tried, progress)
        found.append(exposure(int(table.source_row(int(row))), float(told[0]), told[1:]))
        if len(found) == SECRETS:
            break
    return found


def _told(tuned: Tuned, rows: Sequence[dict[str, Any]], progress: Progress) -> Any:
    """Loss under the tuned model minus loss under the base, per version; a version that is cut
    into several examples counts with its sum."""
    versions: Any = Variants(tuned.task, rows)
    encoded = encode(versions, tuned.contract, tuned.head.labels, "versions of a row")
    from luthier.data.feed.batches import BatchPlan
    from luthier.stages.workshop import pad_id

    exam = Exam(encoded, np.arange(len(encoded)), versions, BatchPlan(32, 0, pad_id(tuned.base)))
    own = losses_of(tuned.network, tuned.head, exam, progress)
    with untouched(tuned.network, tuned.base) as plain:
        before = losses_of(plain, tuned.head, exam, progress)
    return np.bincount(encoded.rows, own - before, len(rows))


def _candidates(secret: str, random: np.random.Generator) -> list[str]:
    digits = random.integers(0, 10, (CANDIDATES, len(secret)))
    return ["".join(map(str, line)) for line in digits]


def _strings(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return "\n".join(_strings(v) for v in value.values())
    return "\n".join(_strings(v) for v in value) if isinstance(value, list | tuple) else ""


def _replaced(value: Any, old: str, new: str) -> Any:
    if isinstance(value, str):
        return value.replace(old, new)
    if isinstance(value, Mapping):
        return {key: _replaced(v, old, new) for key, v in value.items()}
    return [_replaced(v, old, new) for v in value] if isinstance(value, list | tuple) else value


def extraction(tuned: Tuned, members: Exam, others: Exam, progress: Progress) -> Extraction | None:
    """How often a passage is continued word for word; None where too few rows are long enough."""
    for given, following in LENGTHS:
        seen = _passages(members, given + following)
        unseen = _passages(others, given + following)
        if min(len(seen), len(unseen)) >= 20:
            break
    else:
        return None
    progress.start("continuing passages", 3 * len(seen), "passages")
    hits = _hits(tuned.network, tuned, seen, given)
    new = _hits(tuned.network, tuned, unseen, given)
    with untouched(tuned.network, tuned.base) as plain:
        before = _hits(plain, tuned, seen, given)
    count = len(seen)
    return Extraction(
        count, following, share(hits, count), share(new, len(unseen)), share(before, count)
    )


def _passages(exam: Exam, length: int) -> NDArray[np.int64]:
    """The last `length` tokens of at most 100 examples that are as long (N, `length`)."""
    found = []
    for example in exam.examples:
        ids = np.asarray(exam.encoded.ids[int(example)], np.int64)
        if len(ids) > length:
            # The end token is no part of the passage.
            found.append(ids[-length - 1 : -1])
        if len(found) == PASSAGES:
            break
    return np.array(found, np.int64).reshape(-1, length)


def _hits(network: Network, tuned: Tuned, passages: NDArray[np.int64], given: int) -> int:
    network.mode(False, False)
    model, hits = cast(Any, network.model), 0
    device = next(network.parameters()).device
    following = passages.shape[1] - given
    for start in range(0, len(passages), 32):
        part = passages[start : start + 32]
        ids = torch.from_numpy(part[:, :given]).to(device)
        with torch.no_grad():
            work = partial(
                model.generate,
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                max_new_tokens=following,
                min_new_tokens=following,
                do_sample=False,
                pad_token_id=tuned.base.tokenizer.pad_token_id or 0,
            )
            written = network.run(work)[:, given:].cpu().numpy()
        hits += sum(alike(w, p[given:]) for w, p in zip(written, part, strict=True))
    return hits
