"""Answers learnt against answers to other rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from luthier.core.types import Task
from luthier.data.feed.batch import Batch
from luthier.fewshot.tuning.options import OPTIONS, AgainstOthers, others
from luthier.models.base import load_base
from luthier.models.build import base_spec
from luthier.models.heads.language import LanguageHead
from luthier.models.network import Network
from luthier.recipe.model import Model
from tiny import llama

__all__ = ["llama"]


def batch_of(*rows: tuple[list[int], list[int]]) -> Batch:
    """Questions and answers as one padded batch."""
    width = max(len(q) + len(a) for q, a in rows)
    ids = torch.zeros(len(rows), width, dtype=torch.long)
    mask, learn = torch.zeros_like(ids), torch.zeros_like(ids)
    for i, (question, answer) in enumerate(rows):
        end = len(question) + len(answer)
        ids[i, :end] = torch.tensor([*question, *answer])
        mask[i, :end] = 1
        learn[i, len(question) : end] = 1
    return Batch(ids, mask, torch.arange(len(rows)), torch.ones(len(rows)), learn=learn)


@pytest.fixture
def network(llama: Path) -> Network:
    base = load_base(
        base_spec(Model(id=str(llama)), Task.INSTRUCT, "float32", "cpu"), Task.INSTRUCT
    )
    return Network(base.network, None, "last", "causal")


ROWS = [([5, 6, 7], [8, 9]), ([5, 10], [11, 12, 13]), ([14, 15, 6, 7], [8, 9]), ([5], [16])]


def means_of(network: Network, question: list[int], answer: list[int]) -> np.ndarray:
    """Log-likelihoods of the answer's tokens, from all logits."""
    with torch.no_grad():
        logits = network.plain(input_ids=torch.tensor([[*question, *answer]])).logits[0]
    chances = torch.log_softmax(logits.float(), -1)
    places = range(len(question) - 1, len(question) + len(answer) - 1)
    return np.asarray([float(chances[p, t]) for p, t in zip(places, answer, strict=True)])


def test_the_loss_is_the_sum_of_the_three_parts_of_the_paper(network: Network) -> None:
    head = AgainstOthers(LanguageHead(), 0, 64)
    found = head.losses(network, batch_of(*ROWS))
    assert not found.decomposes
    for row, (question, answer) in enumerate(ROWS):
        right = means_of(network, question, answer)
        options = []
        for _, other in (ROWS * 2)[row + 1 : row + 4]:
            if other != answer and other not in options and len(options) < OPTIONS:
                options.append(other)
        wrong = [means_of(network, question, option) for option in options]
        unlikely = -np.concatenate([np.log(1 - np.exp(w)) for w in wrong]).mean()
        best = -(right.mean() - np.log(np.exp([right.mean(), *(w.mean() for w in wrong)]).sum()))
        assert float(found.per_example[row]) == pytest.approx(
            -right.mean() + unlikely + best, rel=1e-4
        )


def test_scores_and_rows_without_another_answer_are_those_of_likelihood_alone(
    network: Network,
) -> None:
    head, plain = AgainstOthers(LanguageHead(), 0, 64), LanguageHead()
    alone = batch_of(ROWS[0], ROWS[2])
    assert others(alone, 0, 64)[0] is None
    same = plain.losses(network, alone).per_example
    assert torch.equal(head.losses(network, alone).per_example, same)
    both = batch_of(*ROWS)
    for mine, theirs in zip(head.scores(network, both), plain.scores(network, both), strict=True):
        assert np.array_equal(mine, theirs)


def test_questions_stand_with_the_answers_of_others_only() -> None:
    wrong, owner = others(batch_of(*ROWS), 0, 64)
    assert wrong is not None and wrong.learn is not None
    for line, row in enumerate(owner.tolist()):
        kept = int(wrong.mask[line].sum())
        learnt = wrong.ids[line][wrong.learn[line] > 0].tolist()
        question = wrong.ids[line, : kept - len(learnt)].tolist()
        assert question == ROWS[row][0] and learnt != ROWS[row][1]
    assert owner.tolist() == [0, 0, 1, 1, 2, 2, 3, 3], "each answer once"


def test_what_does_not_fit_and_several_turns_are_left_alone() -> None:
    wrong, owner = others(batch_of(*ROWS), 0, 5)
    assert wrong is not None and wrong.ids.shape[1] <= 5
    several = batch_of(*ROWS)
    several.learn[1, 0] = 0
    several.learn[1, 3] = 0
    _, owner = others(several, 0, 64)
    assert 1 not in owner.tolist()


def test_training_on_it_sets_answers_apart(network: Network) -> None:
    head, batch = AgainstOthers(LanguageHead(), 0, 64), batch_of(*ROWS)
    for parameter in network.parameters():
        parameter.requires_grad_(True)
    optimizer = torch.optim.SGD(network.parameters(), 0.05)
    before = head.losses(network, batch).total.item()
    for _ in range(5):
        optimizer.zero_grad()
        head.losses(network, batch).total.backward()
        optimizer.step()
    assert head.losses(network, batch).total.item() < before
