"""How much more a tuned model knows of each row than a reference that never learnt from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from luthier.core.errors import CheckRun
from luthier.core.progress import Progress
from luthier.core.seeds import derive
from luthier.core.types import Task
from luthier.data.feed.batches import BatchPlan, collate, sequential
from luthier.data.feed.encode import encode
from luthier.data.table import Table
from luthier.evaluate.baseline import LinearProbe
from luthier.models.head import Head
from luthier.models.network import Network
from luthier.stages.parts.answers import Exam, features, rows_of, truth_of
from luthier.stages.parts.keeping import Tuned, untouched
from luthier.stages.workshop import pad_id

FloatArray = NDArray[np.float64]

FOLDS = 5
_NO_PROBE = (
    "plain loss of the tuned model, as the untouched base gives no answers for this task; "
    "rows that are easy for every model look exposed too"
)


@dataclass(frozen=True)
class Gains:
    """The score of each row (N,), the table rows they belong to, and what was compared with."""

    scores: FloatArray
    rows: NDArray[np.int64]
    reference: str


def exam_of(tuned: Tuned, table: Table, rows: Sequence[int]) -> Exam:
    """Table rows as examples.

    Raises: FixData when none of them can be encoded.
    """
    encoded = encode(table, tuned.contract, tuned.head.labels, tuned.recipe.data.train, rows)
    plan = BatchPlan(32, 0, pad_id(tuned.base))
    return Exam(encoded, np.arange(len(encoded)), table, plan)


def losses_of(network: Network, head: Head, exam: Exam, progress: Progress) -> FloatArray:
    """The mean loss of each example (N,), in the exam's order."""
    network.mode(False, False)
    place = {int(example): i for i, example in enumerate(exam.examples)}
    found = np.zeros(len(exam.examples))
    device = str(next(network.parameters()).device)
    with torch.no_grad():
        for part in sequential(exam.encoded, exam.examples, exam.plan, exam.rows_per_pass):
            batch = collate(exam.encoded, part, exam.plan).to(device)
            losses = network.run(partial(head.losses, network, batch)).per_example
            found[[place[int(e)] for e in part]] = losses.double().cpu().numpy()
            progress.advance(len(part))
    return found


def gains(
    tuned: Tuned, members: Exam, others: Exam, seed: int, progress: Progress
) -> tuple[Gains, Gains]:
    """The scores of rows that were trained on and of others.

    Models that write are compared with the untouched base itself; classifiers with linear probes
    on it, each fitted without the rows it judges.

    Raises: CheckRun for a task whose rows have no loss of their own.
    """
    if tuned.task is Task.PREFER:
        raise CheckRun(
            "luthier audit", "preferences are about pairs, of which no row has its own loss",
            "any other task",
        )  # fmt: skip
    rows = len(members.examples) + len(others.examples)
    progress.start("losses of the tuned model", rows, "rows")
    own = losses_of(tuned.network, tuned.head, members, progress)
    theirs = losses_of(tuned.network, tuned.head, others, progress)
    progress.start("losses of the reference", rows, "rows")
    with untouched(tuned.network, tuned.base) as plain:
        if tuned.task.generates:
            said = "the untouched base"
            before = losses_of(plain, tuned.head, members, progress)
            after = losses_of(plain, tuned.head, others, progress)
        elif tuned.task is Task.CLASSIFY:
            said = "linear probes on the untouched base, fitted without the row"
            before, after = _probes(plain, tuned, members, others, seed)
        else:
            said, before, after = _NO_PROBE, np.zeros_like(own), np.zeros_like(theirs)
    return (
        Gains(before - own, rows_of(members), said),
        Gains(after - theirs, rows_of(others), said),
    )


def _probes(
    plain: Network, tuned: Tuned, members: Exam, others: Exam, seed: int
) -> tuple[FloatArray, FloatArray]:
    names = tuned.head.labels.names
    known, truth = features(plain, members), truth_of(members)
    new, new_truth = features(plain, others), truth_of(others)
    random = np.random.default_rng(derive(seed, "folds"))
    fold = random.permutation(len(truth)) % FOLDS
    new_fold = random.permutation(len(new_truth)) % FOLDS
    before, after = np.zeros(len(truth)), np.zeros(len(new_truth))
    for number in range(FOLDS):
        rest = fold != number
        if len(np.unique(truth[rest])) < 2:
            continue
        empty = (known[:0], truth[:0])
        probe = LinearProbe.fit(names, (known[rest], truth[rest]), empty)
        before[~rest] = _nats(probe, known[~rest], truth[~rest])
        mine = new_fold == number
        after[mine] = _nats(probe, new[mine], new_truth[mine])
    return before, after


def _nats(probe: LinearProbe, vectors: NDArray[np.float32], truth: NDArray[np.int64]) -> FloatArray:
    found = probe.predict(vectors, truth, np.arange(len(truth))).probabilities
    return -np.log(np.clip(found[np.arange(len(truth)), truth], 1e-12, 1))
