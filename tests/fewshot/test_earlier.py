"""Earlier encoders: ranked by rows that are learnt from, taken where they are surely better."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from fewshot_rows import LABELS, WIDTH
from luthier.core.progress import Silence
from luthier.fewshot.choosing.choose import choose
from luthier.fewshot.folds import cut_of
from luthier.fewshot.rung import Asked, Known
from luthier.fewshot.rungs.blends import Stacked
from luthier.fewshot.rungs.earlier import EarlierStack, left_out_error, nearest

RUNGS = (Stacked(), EarlierStack())


@dataclass(frozen=True, eq=False)
class Given:
    """An encoder whose vectors are known beforehand, by the texts."""

    name: str
    vectors: Mapping[str, NDArray[np.float64]]

    def read(self, asked: Asked) -> Asked:
        """These vectors."""
        return replace(asked, vectors=np.stack([self.vectors[text] for text in asked.texts]))


def silent(count: int) -> Known:
    """`count` rows of each class whose words and vectors tell nothing."""
    random = np.random.default_rng(0)
    truth = np.tile(np.arange(len(LABELS)), count)

    def said(name: str, rows: int) -> Asked:
        return Asked([f"{name} {i}" for i in range(rows)], random.normal(size=(rows, WIDTH)))

    return Known(LABELS, said("row", len(truth)), truth, said("class", 3), said("other", 50))


def encoders(known: Known) -> tuple[Given, Given]:
    """One whose vectors tell the classes apart, and one whose vectors tell nothing."""
    random = np.random.default_rng(1)
    texts = [*known.rows.texts, *known.described.texts, *known.pool.texts]
    classes = [*known.truth.tolist(), *range(len(LABELS)), *([0] * len(known.pool))]
    noise = random.normal(size=(len(texts), WIDTH))
    apart = noise + 6 * np.eye(WIDTH)[classes]
    named = (("near", apart), ("far", noise))
    near, far = (Given(n, dict(zip(texts, v, strict=True))) for n, v in named)
    return near, far


def test_an_encoder_that_tells_the_labels_is_found_and_taken() -> None:
    known = silent(20)
    near, far = encoders(known)
    known = replace(known, earlier=(far, near))
    assert nearest(known).name == "near"
    assert choose(known, RUNGS, "accuracy", Silence()).rung == "earlier"


def test_one_that_tells_nothing_is_refused() -> None:
    known = silent(20)
    choice = choose(replace(known, earlier=(encoders(known)[1],)), RUNGS, "accuracy", Silence())
    assert choice.rung == "stacked"
    (decision,) = (d for d in choice.decisions if d.rung == "earlier")
    assert decision.reason == "no proof that it is better"


def test_too_few_labels_take_none_and_say_why() -> None:
    known = silent(3)
    choice = choose(replace(known, earlier=encoders(known)), RUNGS, "accuracy", Silence())
    assert choice.rung == "stacked"
    (decision,) = (d for d in choice.decisions if d.rung == "earlier")
    assert "would be chance" in decision.reason


def test_rows_that_are_held_out_do_not_rank_encoders() -> None:
    """One that knows the held-out rows of a fold alone is not chosen for them."""
    known = silent(20)
    near, far = encoders(known)
    fold = cut_of(known).folds[0]
    held = {known.rows.texts[int(i)] for i in fold.check}
    sly = Given("sly", {t: (near if t in held else far).vectors[t] for t in far.vectors})
    weak = Given("weak", {t: 0.2 * near.vectors[t] + far.vectors[t] for t in far.vectors})
    part = replace(known, earlier=(sly, weak)).only(fold.learn)
    assert nearest(part).name == "weak"


def test_the_error_of_left_out_rows_is_that_of_leaving_each_out() -> None:
    random = np.random.default_rng(2)
    vectors, truth = random.normal(size=(12, 5)), random.integers(0, 3, 12)
    level = vectors - vectors.mean(axis=0)
    level = level / np.linalg.norm(level, axis=1, keepdims=True)
    wanted = np.eye(int(truth.max()) + 1)[truth]
    wanted = wanted - wanted.mean(axis=0)
    errors = []
    for row in range(12):
        rest = np.delete(np.arange(12), row)
        own, aim = level[rest], wanted[rest]
        weights = np.linalg.solve(own.T @ own + np.eye(5), own.T @ aim)
        errors.append(((wanted[row] - level[row] @ weights) ** 2).sum())
    assert left_out_error(vectors, truth) == pytest.approx(np.mean(errors))
