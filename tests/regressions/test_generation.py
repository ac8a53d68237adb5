"""Answers are written by the model itself, alike in any company, and end where they should."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from luthier.core.types import Task
from luthier.data.feed.example import encode_prompt
from luthier.stages.parts.generation import write_answers
from luthier.train.schedule import RateSchedule
from tiny import Bench, make_bench, task_rows


@pytest.fixture(scope="module")
def bench(llama: Path) -> Bench:
    """A model that has learnt to answer one word."""
    rows = task_rows(Task.INSTRUCT, 24)
    for row in rows:
        row["messages"][-1]["content"] = "pay today"
    made = make_bench(llama, Task.INSTRUCT, rows=rows)
    made.train(60, made.batches(), rate=3e-2, schedule=RateSchedule(60))
    return made


def _prompts(bench: Bench) -> list[list[dict[str, str]]]:
    return [bench.table.row(i)["messages"][:-1] for i in range(9)]


def _greedy(bench: Bench, prompt: list[dict[str, str]], most: int) -> str:
    """One token after the other, without cache, padding or company."""
    ids = encode_prompt(prompt, bench.contract)
    begin = len(ids)
    with torch.no_grad():
        for _ in range(most):
            token = int(bench.network.plain(input_ids=torch.tensor([ids])).logits[0, -1].argmax())
            if token in bench.contract.end_ids:
                break
            ids.append(token)
    return str(bench.base.tokenizer.decode(ids[begin:], skip_special_tokens=True)).strip()


def test_in_a_batch_as_alone(bench: Bench) -> None:
    prompts = _prompts(bench)
    answers = write_answers(bench.network, bench.contract, prompts, 8)
    assert answers == [_greedy(bench, prompt, 8) for prompt in prompts]


def test_what_was_learnt_is_written_and_ends(bench: Bench) -> None:
    answers = write_answers(bench.network, bench.contract, _prompts(bench), 60)
    assert answers.count("pay today") >= 8


def test_a_limit_is_kept(bench: Bench) -> None:
    prompts = _prompts(bench)
    answers = write_answers(bench.network, bench.contract, prompts, 2)
    assert answers == [_greedy(bench, prompt, 2) for prompt in prompts]
    assert set(answers) != {"pay today"}


def test_the_answer_in_the_data_is_not_looked_at(bench: Bench, llama: Path) -> None:
    untouched = make_bench(llama, Task.INSTRUCT)
    answers = write_answers(untouched.network, untouched.contract, _prompts(bench), 8)
    assert "pay today" not in answers
