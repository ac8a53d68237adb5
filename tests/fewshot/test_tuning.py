"""Tuning the encoder: batches without pairs, the losses by hand, folds kept apart, and its cost."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from fewshot_rows import LABELS, Tiny, asked, known
from luthier.core.progress import Silence
from luthier.core.types import Task
from luthier.data.feed.batches import BatchPlan
from luthier.data.feed.ragged import Ragged
from luthier.fewshot.choosing.choose import choose
from luthier.fewshot.folds import Cut, cut_of
from luthier.fewshot.rungs.blends import Stacked
from luthier.fewshot.rungs.linear import Described
from luthier.fewshot.rungs.tuned import TunedStack
from luthier.fewshot.tuning.batches import ROWS_PER_CLASS, ClassBatches, labelled
from luthier.fewshot.tuning.encoder import Tunable
from luthier.fewshot.tuning.objective import LIKENESS, contrast
from luthier.models.base import BaseSpec, load_base
from tiny import bert

__all__ = ["bert"]


def _batches(counts: list[int], size: int = 8) -> ClassBatches:
    truth = np.repeat(np.arange(len(counts)), counts)
    ids = Ragged.pack([[1, 2, 3]] * len(truth), "int32")
    return ClassBatches(labelled(ids, truth, np.ones(len(truth))), BatchPlan(size, 3, 0))


def _rows(batches: ClassBatches, step: int) -> np.ndarray:
    return batches.at(step).micro[0].rows.numpy()


def test_an_epoch_holds_each_row_once_and_rows_of_a_class_stand_together() -> None:
    batches = _batches([9, 4, 1, 14])
    for epoch in range(3):
        steps = range(epoch * batches.steps_per_epoch, (epoch + 1) * batches.steps_per_epoch)
        drawn = [_rows(batches, step) for step in steps]
        assert sorted(np.concatenate(drawn)) == list(range(28))
        for step, rows in zip(steps, drawn, strict=True):
            targets = batches.at(step).micro[0].targets
            assert targets is not None
            _, each = np.unique(targets.numpy(), return_counts=True)
            assert len(rows) <= 8 + ROWS_PER_CLASS and each.max() >= 2


def test_the_batch_of_a_step_is_always_the_same() -> None:
    first, second = _batches([5, 6]), _batches([5, 6])
    later = _rows(first, 3)
    np.testing.assert_array_equal(_rows(second, 3), later)
    assert not np.array_equal(_rows(first, 0), _rows(first, first.steps_per_epoch))


def test_the_contrastive_loss_is_that_of_the_paper() -> None:
    torch.manual_seed(0)
    level = torch.nn.functional.normalize(torch.randn(5, 4, dtype=torch.float64))
    targets = torch.tensor([0, 0, 1, 1, 2])
    found = contrast(level, targets)
    for i in range(5):
        others = [j for j in range(5) if j != i]
        mates = [j for j in others if targets[j] == targets[i]]
        total = sum(torch.exp(level[i] @ level[j] / LIKENESS) for j in others)
        each = [-torch.log(torch.exp(level[i] @ level[j] / LIKENESS) / total) for j in mates]
        wanted = sum(each) / len(each) if each else torch.tensor(0.0)
        assert float(found[i]) == pytest.approx(float(wanted), abs=1e-9)


def test_a_row_without_a_neighbour_of_its_class_leaves_finite_gradients() -> None:
    level = torch.nn.functional.normalize(torch.randn(3, 4)).requires_grad_()
    contrast(level, torch.tensor([0, 1, 2])).sum().backward()
    assert level.grad is not None and torch.isfinite(level.grad).all()


def test_the_base_is_as_it_was_and_the_kept_prefix_changes_nothing(bert: Path) -> None:
    tiny = Tiny(bert)
    given = tiny.seen(known(4))
    before = {n: p.clone() for n, p in tiny.encoder.base.network.state_dict().items()}
    moved = tiny.encoder.tune(given).read(given.rows).vectors
    after = tiny.encoder.base.network.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[n], after[n]) for n in before)
    assert np.abs(moved - given.rows.vectors).max() > 1e-3
    whole = Whole(load_base(BaseSpec(id=str(bert), precision="float32"), Task.CLASSIFY), 0)
    again = whole.tune(given).read(given.rows).vectors
    np.testing.assert_allclose(again, moved, atol=2e-4)


def test_a_share_of_the_update_lies_between_the_untouched_and_the_tuned_encoder(bert: Path) -> None:
    tiny = Tiny(bert)
    given = tiny.seen(known(4))
    base = tiny.encoder.base
    apart = {}
    for share in (0.0, 0.4, 1.0):
        moved = Tunable(base, 0, share=share).tune(given).read(given.rows).vectors
        apart[share] = float(np.abs(moved - given.rows.vectors).mean())
    assert apart[0.0] < 1e-5 < apart[0.4] < apart[1.0]


class Whole(Tunable):
    """One that keeps no hidden states."""

    _cuts = False  # type: ignore[assignment]


def test_rows_held_out_do_not_reach_the_tuning(bert: Path) -> None:
    given = Tiny(bert).seen(known(6))
    fold = cut_of(given).folds[0]
    strange = Tiny(bert).read(asked(6, 99)[0])
    rows = list(given.rows.texts)
    truth = given.truth.copy()
    tokens, vectors = list(given.rows.tokens or ()), given.rows.vectors.copy()
    for place in fold.check:
        truth[place] = (truth[place] + 1) % len(LABELS)
        rows[place] = strange.texts[place]
        tokens[place], vectors[place] = (strange.tokens or ())[place], strange.vectors[place]
    other = replace(given, truth=truth, rows=type(given.rows)(rows, vectors, tokens))
    # The middle of all texts counts rows that are held out, as it does texts without labels.
    other = replace(other, pool=given.pool)
    one, two = given.only(fold.learn), other.only(fold.learn)
    np.testing.assert_array_equal(
        one.tuned().read(given.pool).vectors, two.tuned().read(given.pool).vectors
    )
    probe = TunedStack().inner.members[1]
    chances = Cut(given, cut_of(given)._seed, [fold]).chances(probe)
    alone = one.made(probe).probabilities(given.rows.take(fold.check))
    np.testing.assert_array_equal(chances, alone)


def test_it_is_tried_on_as_many_folds_as_there_is_time_for(bert: Path) -> None:
    given = Tiny(bert).seen(known(10))
    assert given.encoder is not None
    takes = given.encoder.seconds(given)
    assert len(TunedStack(seconds=10 * takes).cut(given).folds) == 5
    assert len(TunedStack(seconds=3.5 * takes).cut(given).folds) == 2
    assert "minutes" in TunedStack(seconds=1.9 * takes).refusal(given)
    assert not TunedStack(seconds=2.1 * takes).refusal(given)


def test_without_an_encoder_it_is_refused() -> None:
    assert "can't be tuned" in TunedStack().refusal(known(10))


def test_the_choice_tries_it_on_the_rows_of_the_one_held_and_tells(bert: Path) -> None:
    given = Tiny(bert).seen(known(20))
    choice = choose(given, (Described(), TunedStack()), "accuracy", Silence())
    told = {d.rung: d for d in choice.decisions}
    assert told["tuned"].gain is not None and told["tuned"].against == "described probe"
    assert {s.rung for s in choice.scores} == {"described probe", "tuned"}
    assert (choice.rung == "tuned") == told["tuned"].accepted


def test_with_few_rows_nothing_is_tuned(bert: Path) -> None:
    given = Tiny(bert).seen(known(3))
    choice = choose(given, (Stacked(), TunedStack()), "accuracy", Silence())
    assert choice.rung == "stacked" and "moved" not in given.__dict__
