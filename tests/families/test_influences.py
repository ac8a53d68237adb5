"""Every way to score training rows passes the same table."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from luthier.core.errors import FixRecipe
from luthier.core.progress import Silence
from luthier.core.types import Task
from luthier.data.feed.batches import collate, sequential
from luthier.explain.influence import Traces
from luthier.explain.influences.build import influence_of, influences
from luthier.explain.rows.capture import capture
from luthier.explain.rows.control import measure_control
from luthier.explain.rows.sketch import Sketch
from luthier.stages.parts.answers import features
from tiny import Bench, make_bench

NAMES = list(influences())


def traces(bench: Bench) -> Traces:
    """What the rows of a bench leave in its model, in their order."""
    parts = sequential(bench.encoded, bench.all, bench.plan, 8)
    batches = (collate(bench.encoded, part, bench.plan) for part in parts)
    found = capture(bench.network, bench.head.losses, batches, Sketch(0), Silence())
    order = np.argsort(found.rows)
    vectors = features(bench.network, bench.exam())
    return Traces(found.gradients[order], found.losses[order], vectors)


@pytest.fixture(scope="module")
def bench(bert: Path) -> Bench:
    """A tiny encoder that learned something."""
    made = make_bench(bert, Task.CLASSIFY)
    made.train(25, made.batches())
    return made


@pytest.fixture(scope="module")
def rows(bench: Bench) -> Traces:
    """Its training rows."""
    return traces(bench)


@pytest.mark.parametrize("name", NAMES)
def test_one_finite_score_for_each_answer_and_row(name: str, rows: Traces) -> None:
    asked = rows.take(np.arange(5))
    found = influence_of(name).scores(rows, asked)
    assert found.shape == (5, len(rows)) and np.isfinite(found).all()
    again = influence_of(name).scores(rows, asked.take(np.asarray([3])))
    np.testing.assert_allclose(again[0], found[3], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_a_row_speaks_for_itself(name: str, rows: Traces) -> None:
    found = influence_of(name).scores(rows, rows)
    assert (np.diag(found) > 0).all()
    better = (found > np.diag(found)[:, None] + 1e-9).sum(1)
    assert np.median(better) <= 1


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_said_of_a_gradient_of_zero(name: str, rows: Traces) -> None:
    silent = Traces(np.zeros_like(rows.gradients), rows.losses, np.zeros_like(rows.vectors))
    found = influence_of(name).scores(silent, silent.take(np.arange(2)))
    np.testing.assert_allclose(found, 0.0, atol=1e-6)


def test_turned_copies_speak_against_and_embeddings_cannot_tell(bench: Bench, rows: Traces) -> None:
    assert isinstance(bench.encoded.targets, np.ndarray)
    turned = replace(bench, encoded=replace(bench.encoded, targets=(bench.encoded.targets + 1) % 3))
    origin = np.asarray([1, 5, 9, 13])
    copies = traces(turned).take(origin)
    control = measure_control(rows, copies, origin, list(influences().values()))
    assert control.rows == 4 and control.alone > 0.8
    # Of three classes a turned label is not the opposite one.
    assert control.against["cosine"] > 0.6 and control.against["datainf"] > 0.6
    assert control.against["embedding"] < 0.1
    assert "failed" in control.warning("embedding")
    assert replace(control, against={"cosine": 0.9}).warning("cosine") == ""
    assert "not checked" in replace(control, rows=0).warning("cosine")


def test_an_unknown_way_is_refused() -> None:
    with pytest.raises(FixRecipe, match="did you mean 'cosine'"):
        influence_of("cosin")
