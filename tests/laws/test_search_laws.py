"""Trials on one shared base: each is what it would be alone, and the base stays as it was."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from luthier.core.progress import Silence
from luthier.core.types import Task
from luthier.evaluate.predictions import ClassPredictions
from luthier.recipe.load import recipe_from_dict
from luthier.search.space import Space
from luthier.search.trial import UNITS, Config, Slice
from luthier.stages.training import train
from luthier.stages.tuning.best import units_to_steps
from luthier.stages.tuning.configured import DEPTH, RATE
from luthier.stages.tuning.fitting import formula_rate
from luthier.stages.tuning.rows import Halves
from luthier.stages.tuning.shared import SharedBase
from luthier.stages.tuning.space import space_of
from luthier.stages.workshop import set_up
from luthier.store.artefacts import Artefacts
from tiny import same_bits, task_rows

OTHER = {RATE: 0.4, "adapter.rank": 8, DEPTH: "one"}

Open = Callable[..., SharedBase]


@pytest.fixture
def opened(bert: Path, tmp_path: Path) -> Open:
    """Sets up the shared base of a tiny task of twenty updates, anew at each call."""
    file = tmp_path / "train.jsonl"

    def open_base(
        adapter: Mapping[str, Any] | None = None,
        cache: str = "off",
        rate: float | str = 5e-3,
        patience: int | None = None,
        probe: float | None = None,
        halved: bool = True,
        task: Task = Task.CLASSIFY,
    ) -> SharedBase:
        lines = [json.dumps(row) + "\n" for row in task_rows(task, 64)]
        file.write_text("".join(lines), encoding="utf-8")
        recipe = recipe_from_dict({
            "task": task.value, "tune": {}, "model": {"id": str(bert), "precision": "float32"},
            "data": {"train": str(file)}, "adapter": {"kind": "lora", **(adapter or {})},
            "train": {"max_steps": 20, "batch_size": 8, "learning_rate": rate,
                      "patience": patience, "probe_start": 1.0 if probe is None else probe},
            "fast": {"prefix_cache": cache},
            "evaluate": {"probe": probe is not None, "forgetting": False},
        })  # fmt: skip
        store = Artefacts(tmp_path / "home")
        shop = set_up(recipe, tmp_path, tmp_path / "run", store, Silence())
        check = shop.part(shop.prepared.splits.validation)
        halves = None if halved else Halves(check, check)
        return SharedBase.begin(shop, tmp_path / "search", halves)

    return open_base


def space(shared: SharedBase) -> Space:
    return space_of(shared.shop.recipe, shared.shop.task, formula_rate(shared.shop))


def default(shared: SharedBase) -> Config:
    return space(shared).default


def weights(shared: SharedBase) -> dict[str, Tensor]:
    return {n: t.clone() for n, t in shared.shop.base.network.state_dict().items()}


def parameters(shared: SharedBase, trial: str) -> dict[str, Tensor]:
    """What a trial's last slice left, without its optimiser."""
    found = load_file(str(shared.folder / "trials" / trial / "state.safetensors"))
    return {n: t for n, t in found.items() if n.startswith("parameter/")}


@pytest.mark.parametrize("patience", [None, 1])
@pytest.mark.parametrize("adapter", [{}, {"kind": "full"}])
@pytest.mark.parametrize(
    ("task", "probe"),
    [(Task.CLASSIFY, None), (Task.CLASSIFY, 1.0), (Task.CLASSIFY, 0.3), (Task.TAG, 1.0)],
)
def test_slices_with_others_between_are_one_ordinary_run(
    adapter: dict[str, str],
    patience: int | None,
    task: Task,
    probe: float | None,
    opened: Open,
    tmp_path: Path,
) -> None:
    """To the bit: validated at the same places, ended at the same, with the same parameters."""
    shared = opened(adapter, rate=2e-2, patience=patience, probe=probe, halved=False, task=task)
    own = default(shared)
    other = {**own, RATE: 0.4} | ({} if adapter else OTHER)
    seen = []
    for until in (1, 2, 4, 8, UNITS):
        if not seen or seen[-1].unit < UNITS:
            seen.append(shared.advance(Slice("t000", own, until)))
        shared.advance(Slice("t001", other, until))
        if until == 1:
            assert not same_bits(parameters(shared, "t000"), parameters(shared, "t001"))
    recipe = shared.shop.recipe.model_copy(update={"tune": None})
    alone = set_up(recipe, tmp_path, tmp_path / "alone", Artefacts(tmp_path / "home"), Silence())
    trained = train(alone, Silence())
    assert shared.best.of("t000") == (trained.best, trained.best_step)
    assert seen[-1].score == trained.best and seen[-1].unit == UNITS
    assert bool(seen[-1].ended_early) == (trained.state.step < alone.timing.steps)
    own_parameters = {f"parameter/{n}": t for n, t in trained.state.snapshot().items()}
    assert same_bits(parameters(shared, "t000"), own_parameters)


@pytest.mark.parametrize("adapter", [{}, {"kind": "full"}, {"kind": "ia3"}])
def test_an_abandoned_search_leaves_the_base_as_it_was(
    adapter: dict[str, str], opened: Open
) -> None:
    shared = opened(adapter)
    before, own = weights(shared), default(shared)
    shared.advance(Slice("t000", own, 4))
    shared.advance(Slice("t001", {**own, RATE: 0.4}, 2))
    shared.estimate(own)
    assert same_bits(weights(shared), before)
    assert not any(p.requires_grad for p in shared.shop.base.network.parameters())


def test_a_trial_that_fails_leaves_the_base_as_it_was(opened: Open) -> None:
    shared = opened()
    before, own = weights(shared), default(shared)

    def breaking(member: object, piece: Slice) -> dict[str, float]:
        raise RuntimeError("in the middle of a slice")

    shared.extra = breaking
    with pytest.raises(RuntimeError, match="in the middle"):
        shared.advance(Slice("t000", own, 2))
    assert same_bits(weights(shared), before)
    assert not (shared.folder / "trials" / "t000").exists()


def test_a_kept_prefix_changes_nothing_but_rounding(opened: Open) -> None:
    seen, kept = [], []
    for cache in ("off", "on"):
        shared = opened({"top_layers": 1}, cache)
        seen.append([shared.advance(Slice("t000", default(shared), u)) for u in (1, 4)])
        kept.append(parameters(shared, "t000"))
        assert bool(shared.prefixes.made) == (cache == "on")
        shutil.rmtree(shared.folder)
    for plain, cached in zip(*seen, strict=True):
        assert cached.loss == pytest.approx(plain.loss, abs=1e-4)
        assert cached.train_loss == pytest.approx(plain.train_loss, abs=1e-4)
    for name, tensor in kept[0].items():
        assert torch.allclose(tensor, kept[1][name], atol=2e-4), name


def test_a_prefix_goes_on_from_a_lower_one(opened: Open) -> None:
    kept = []
    for depths in (("one",), ("half", "one")):
        shared = opened(cache="auto")
        for place, depth in enumerate(depths):
            shared.advance(Slice(f"t{place:03d}", {**default(shared), DEPTH: depth}, 1))
        assert len(shared.prefixes.made) == len(depths)
        top = shared.prefixes.made[max(shared.prefixes.made)]
        kept.append([np.array(top[row]) for row in shared.halves.first])
        shutil.rmtree(shared.folder)
    for direct, chained in zip(*kept, strict=True):
        assert np.allclose(direct, chained, atol=1e-5)


def test_a_trial_ends_where_an_ordinary_run_would_have_lost_patience(opened: Open) -> None:
    shared = opened(rate=1e-9, patience=2)
    end = 2 * shared.shop.timing.every
    steps = [units_to_steps(unit, shared.shop.timing.steps) for unit in (1, 2, 4, 8)]
    assert steps[0] < end <= steps[-1]
    seen = [shared.advance(Slice("t000", default(shared), u)) for u in (1, 2, 4, 8)]
    assert [o.unit == UNITS for o in seen] == [step >= end for step in steps]
    assert [bool(o.ended_early) for o in seen] == [step >= end for step in steps]
    assert steps[-1] > end and "trained 3.2 of 16 parts" in seen[-1].ended_early
    shutil.rmtree(shared.folder)
    assert opened(rate=1e-9).advance(Slice("t000", default(shared), 8)).unit == 8


def test_what_training_starts_from_is_kept_where_training_only_harms(opened: Open) -> None:
    shared = opened(rate=1e-9)
    own, rows = default(shared), shared.halves.first
    fresh = shared.measured(Slice("t001", own, 0), rows)
    shared.advance(Slice("t000", own, 4))
    assert shared.best.of("t000")[1] == 0, "a change too small to see took its place"
    member, _, unit = shared.take(Slice("t000", own, 4))
    best = member.answers(rows, shared.metric)
    assert unit == 0 and isinstance(best, ClassPredictions) and isinstance(fresh, ClassPredictions)
    assert np.array_equal(best.probabilities, fresh.probabilities)


def test_another_process_goes_on_to_the_bit(opened: Open, tmp_path: Path) -> None:
    whole = opened()
    own = default(whole)
    for until in (4, 8):
        whole.advance(Slice("t000", own, until))
    unbroken = parameters(whole, "t000")
    shutil.rmtree(whole.folder)
    opened().advance(Slice("t000", own, 4))
    again = opened()
    seen = again.advance(Slice("t000", own, 8))
    assert same_bits(parameters(again, "t000"), unbroken)
    assert seen.unit == 8


def test_a_slice_that_was_done_but_not_written_down_is_not_done_twice(opened: Open) -> None:
    shared = opened()
    own = default(shared)
    first = shared.advance(Slice("t000", own, 4))
    before = parameters(shared, "t000")
    again = shared.advance(Slice("t000", own, 4))
    assert same_bits(parameters(shared, "t000"), before)
    assert again.score == first.score and again.cost >= first.cost


def test_a_clone_starts_where_its_parent_is(opened: Open) -> None:
    shared = opened()
    own = default(shared)
    shared.advance(Slice("t000", own, 4))
    rows = shared.halves.first
    clone = Slice("t001", {**own, RATE: 0.3}, 0, 0, "t000")
    answers = [shared.measured(piece, rows) for piece in (Slice("t000", own, 4), clone)]
    fresh = shared.measured(Slice("t002", own, 0), rows)
    chances = []
    for found in (*answers, fresh):
        assert isinstance(found, ClassPredictions)
        chances.append(found.probabilities)
    assert np.array_equal(chances[0], chances[1])
    assert not np.array_equal(chances[0], chances[2])


@pytest.mark.parametrize("adapter", [{"dropout": 0.1}, {"kind": "full"}])
def test_every_parameter_of_the_usual_space_changes_the_run(
    adapter: dict[str, Any], opened: Open
) -> None:
    shared = opened(adapter)
    around = space(shared)
    shared.advance(Slice("t000", around.default, 4))
    usual = parameters(shared, "t000")
    for place, parameter in enumerate(p for p in around.parameters if not p.fixed):
        value = next(
            v for v in map(parameter.quantile, (0.97, 0.03)) if v != parameter.default
        )  # fmt: skip
        name = f"t{place + 1:03d}"
        shared.advance(Slice(name, around.but(around.default, parameter.name, value), 4))
        assert not same_bits(parameters(shared, name), usual), parameter.name


def test_shapes_are_estimated_while_another_trial_is_attached(opened: Open) -> None:
    """A resumed search measures a trial whose memory was estimated by an earlier process only."""
    from luthier.stages.tuning.costs import TrialCosts

    shared = opened()
    own = default(shared)
    costs = TrialCosts(shared)
    shared.extra = costs.measures
    before = weights(shared)
    first = shared.advance(Slice("t000", own, 1))
    assert same_bits(weights(shared), before)
    assert first.measures["memory_mb"] == TrialCosts(shared).estimate(own).memory_mb > 0


@pytest.mark.parametrize("rate", ["auto", 5e-3, 7.3e-6])
def test_the_default_is_the_recipe_as_it_stands(rate: float | str, opened: Open) -> None:
    """Its own learning rate included, wherever that lies beside the formula."""
    shared = opened(rate=rate)
    around = space(shared)
    own = shared.shop.recipe.model_copy(update={"tune": None})
    assert shared.recipe_of(around.default) == own == shared.recipe_of({})
    assert (around.default[RATE] == 0) == (rate == "auto")
    faster = shared.recipe_of({**around.default, RATE: float(around.default[RATE]) + 1})
    assert faster.train.learning_rate == pytest.approx(10 * own.train.learning_rate, rel=1e-3)
