"""Every head passes the same table: losses, weights, shapes of answers, and that it learns."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from luthier.core.types import Task
from luthier.models.adapters.lora import LowRank
from luthier.models.heads.classify import ClassifyHead
from luthier.stages.parts.answers import score_all
from tiny import Bench, losses_of, make_bench, task_rows

CASES = [(task, "auto") for task in Task] + [(Task.PREFER, "orpo"), (Task.ADAPT, "masked")]
PER_TOKEN = (Task.TAG, Task.INSTRUCT, Task.ADAPT)


@pytest.fixture(params=CASES, ids=lambda case: f"{case[0].value}-{case[1]}")
def bench(request: pytest.FixtureRequest, bert: Path, llama: Path, masked_bert: Path) -> Bench:
    """A bench for each task."""
    task, objective = request.param
    if objective == "masked":
        return make_bench(masked_bert, task, LowRank(rank=4, alpha=16.0))
    folder = llama if task.generates else bert
    return make_bench(folder, task, LowRank(rank=4, alpha=16.0), objective=objective)


def _reference(bench: Bench) -> np.ndarray | None:
    return bench.reference() if getattr(bench.head, "objective", "") == "dpo" else None


def test_losses_and_weights(bench: Bench) -> None:
    batch = bench.batches(reference=_reference(bench)).collate(bench.all[:6])
    losses = bench.head.losses(bench.network, batch)
    assert losses.per_example.shape == losses.weights.shape == (6,)
    assert losses.decomposes
    assert bool(torch.isfinite(losses.per_example).all())
    if bench.encoded.learn is not None and bench.head.task in PER_TOKEN:
        wanted = [int(bench.encoded.learn[i].sum()) for i in range(6)]
        assert losses.weights.tolist() == wanted
    elif bench.head.task is Task.TAG:
        assert bench.encoded.targets is not None
        wanted = [int((bench.encoded.targets[i] >= 0).sum()) for i in range(6)]
        assert losses.weights.tolist() == wanted
    else:
        assert losses.weights.tolist() == [1.0] * 6
    assert float(losses.total.detach()) == pytest.approx(
        float((losses.per_example * losses.weights).sum().detach())
    )


def test_a_row_counts_the_same_in_any_company(bench: Bench) -> None:
    bench.network.mode(False, False)
    reference = _reference(bench)
    with torch.no_grad():
        batch = bench.batches(reference=reference).collate(bench.all[:6])
        together = bench.head.losses(bench.network, batch).per_example
        alone = torch.cat(
            [
                bench.head.losses(
                    bench.network, bench.batches(reference=reference).collate(bench.all[i : i + 1])
                ).per_example
                for i in range(6)
            ]
        )
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)


def test_shapes_of_answers(bench: Bench) -> None:
    scores = score_all(bench.network, bench.head, bench.exam())
    assert len(scores) == len(bench.encoded)
    labels = len(bench.head.labels.names)
    for example, score in enumerate(scores):
        length = int(bench.encoded.lengths[example])
        wanted = {
            Task.CLASSIFY: (labels,),
            Task.MULTILABEL: (labels,),
            Task.REGRESS: (1,),
            Task.TAG: (length, 2 * labels + 1),
            Task.INSTRUCT: (2,),
            Task.ADAPT: (3,) if bench.base.masked else (2,),
            Task.PREFER: (1,),
        }[bench.head.task]
        assert score.shape == wanted and np.isfinite(score).all()
        if bench.head.task in (Task.CLASSIFY, Task.TAG):
            np.testing.assert_allclose(score.sum(-1), 1.0, atol=1e-5)
        if bench.head.task is Task.MULTILABEL:
            assert ((score >= 0) & (score <= 1)).all()


def test_it_learns(bench: Bench) -> None:
    reference = _reference(bench)
    batches = bench.batches(reference=reference, batch_size=24)
    curve = losses_of(bench.train(12, batches, rate=2e-2))
    assert curve[10] < 0.97 * curve[0]


@pytest.mark.parametrize("task", [Task.CLASSIFY, Task.INSTRUCT, Task.PREFER])
def test_a_row_weight_counts(task: Task, bert: Path, llama: Path) -> None:
    rows = task_rows(task, 4)
    heavy = [{**row, "weight": 3.0 if i == 0 else 1.0} for i, row in enumerate(rows)]
    folder = llama if task.generates else bert
    plain, weighed = (make_bench(folder, task, rows=r) for r in (rows, heavy))
    ratio = weighed.encoded.weights / plain.encoded.weights
    assert ratio.tolist() == [3.0, 1.0, 1.0, 1.0]


def test_regression_answers_in_the_unit_of_the_data(bert: Path) -> None:
    bench = make_bench(bert, Task.REGRESS)
    output = bench.network.output
    assert output is not None
    with torch.no_grad():
        output.weight.zero_()
        output.bias.fill_(2.0)
    scores = np.concatenate(score_all(bench.network, bench.head, bench.exam()))
    np.testing.assert_allclose(scores, 20.0 + 2.0 * 9.0, rtol=1e-5)


def test_a_classifier_on_a_causal_model_reads_the_last_real_token(llama: Path) -> None:
    bench = make_bench(llama, Task.CLASSIFY)
    assert bench.network.kind == "causal" and bench.network.pooling == "last"
    assert isinstance(bench.head, ClassifyHead)
    batch = bench.batches().collate(bench.all[:4])
    padded = replace(
        batch,
        ids=torch.nn.functional.pad(batch.ids, (0, 5), value=7),
        mask=torch.nn.functional.pad(batch.mask, (0, 5)),
    )
    bench.network.mode(False, False)
    with torch.no_grad():
        torch.testing.assert_close(
            bench.network.pooled(padded), bench.network.pooled(batch), atol=1e-5, rtol=1e-5
        )
