"""Every rung passes the same table: chances, the same again, on disk, refusals, and learning."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fewshot_rows import LABELS, WIDTH, asked, known
from luthier.core.errors import FixData
from luthier.fewshot.folds import Cut, held_out
from luthier.fewshot.keeping import load, save, saved
from luthier.fewshot.rung import Asked, Rung
from luthier.fewshot.rungs.family import FROZEN

TEXTS, TRUTH = asked(30, 7)


@pytest.fixture(params=FROZEN, ids=lambda rung: rung.name)
def rung(request: pytest.FixtureRequest) -> Rung:
    """Each rung in turn."""
    found: Rung = request.param
    return found


def test_chances_are_finite_and_sum_to_one(rung: Rung) -> None:
    for count in (1, 6):
        chances = rung.fit(known(count)).probabilities(TEXTS)
        assert chances.shape == (len(TEXTS), len(LABELS))
        assert np.isfinite(chances).all() and (chances >= 0).all()
        np.testing.assert_allclose(chances.sum(axis=1), 1.0, atol=1e-9)


def test_the_same_rows_give_the_same_classifier(rung: Rung) -> None:
    first, second = (rung.fit(known(6)).probabilities(TEXTS) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_more_right_than_by_chance_and_with_more_rows_more(rung: Rung) -> None:
    few, many = (
        (rung.fit(known(count)).probabilities(TEXTS).argmax(axis=1) == TRUTH).mean()
        for count in (2, 20)
    )
    assert many > 0.6
    assert many >= few - 0.1


def test_it_is_read_back_from_disk(rung: Rung, tmp_path: Path) -> None:
    fitted = rung.fit(known(6))
    assert not saved(tmp_path)
    save(fitted, tmp_path)
    assert saved(tmp_path)
    assert {file.suffix for file in tmp_path.iterdir()} == {".json", ".safetensors"}
    again = load(tmp_path).probabilities(TEXTS)
    np.testing.assert_allclose(again, fitted.probabilities(TEXTS), atol=1e-5)


def test_what_it_refuses_it_does_not_fit(rung: Rung) -> None:
    whole = known(1)
    for places in (np.array([], int), np.array([0])):
        part = whole.only(places)
        if rung.refusal(part):
            with pytest.raises(FixData, match="labels to learn from"):
                rung.fit(part)
        else:
            assert rung.fit(part).probabilities(TEXTS).shape == (len(TEXTS), len(LABELS))


def test_a_class_without_a_row_keeps_its_place(rung: Rung) -> None:
    whole = known(6)
    part = whole.only(np.flatnonzero(whole.truth != 1))
    chances = rung.fit(part).probabilities(TEXTS)
    assert chances.shape == (len(TEXTS), len(LABELS))
    # Who reads descriptions can still answer it; who does not never does.
    answers = {int(c) for c in chances.argmax(axis=1)}
    assert (1 in answers) == (rung.name != "linear probe")


def test_rows_held_out_are_not_learnt_from(rung: Rung) -> None:
    whole = known(6)
    cut = Cut(whole, 3)
    chances = held_out(rung, cut)
    assert sorted(cut.held.tolist()) == list(range(len(whole.rows)))
    np.testing.assert_allclose(chances.sum(axis=1), 1.0, atol=1e-9)
    if hasattr(rung, "members"):
        return
    fold = cut.folds[0]
    alone = rung.fit(whole.only(fold.learn)).probabilities(whole.rows.take(fold.check))
    np.testing.assert_allclose(chances[: len(fold.check)], alone)


def test_an_empty_question_and_a_text_without_known_words(rung: Rung) -> None:
    fitted = rung.fit(known(6))
    assert fitted.probabilities(Asked([], np.zeros((0, WIDTH)))).shape == (0, len(LABELS))
    strange = fitted.probabilities(Asked(["", "§§§"], np.zeros((2, WIDTH))))
    np.testing.assert_allclose(strange.sum(axis=1), 1.0, atol=1e-9)
