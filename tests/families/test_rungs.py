"""Every rung passes the same table: chances, the same again, on disk, refusals, and learning."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from fewshot_rows import LABELS, Tiny, asked, known
from luthier.core.errors import FixData
from luthier.fewshot.folds import Costly, Cut, OverOthers, held_out
from luthier.fewshot.keeping import load, save, saved
from luthier.fewshot.rung import Asked, Known, Rung
from luthier.fewshot.rungs.family import ladder

RUNGS = ladder()


@dataclass(frozen=True)
class Case:
    """A rung with what it is tried on."""

    rung: Rung
    known: Callable[[int], Known]
    texts: Asked
    truth: np.ndarray


@pytest.fixture(params=RUNGS, ids=lambda rung: rung.name)
def case(request: pytest.FixtureRequest, bert: Path) -> Case:
    """Each rung in turn; one that tunes gets an encoder and its vectors."""
    rung: Rung = request.param
    texts, truth = asked(30, 7)
    if not isinstance(rung, Costly):
        return Case(rung, known, texts, truth)
    reader = Tiny(bert)
    return Case(rung, lambda count: reader.seen(known(count)), reader.read(texts), truth)


def test_chances_are_finite_and_sum_to_one(case: Case) -> None:
    for count in (1, 6):
        chances = case.rung.fit(case.known(count)).probabilities(case.texts)
        assert chances.shape == (len(case.texts), len(LABELS))
        assert np.isfinite(chances).all() and (chances >= 0).all()
        np.testing.assert_allclose(chances.sum(axis=1), 1.0, atol=1e-9)


def test_the_same_rows_give_the_same_classifier(case: Case) -> None:
    first, second = (case.rung.fit(case.known(6)).probabilities(case.texts) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_more_right_than_by_chance_and_with_more_rows_more(case: Case) -> None:
    few, many = (
        (
            case.rung.fit(case.known(count)).probabilities(case.texts).argmax(axis=1) == case.truth
        ).mean()
        for count in (2, 20)
    )
    assert many > 0.6
    assert many >= few - 0.1


def test_it_is_read_back_from_disk(case: Case, tmp_path: Path) -> None:
    fitted = case.rung.fit(case.known(6))
    assert not saved(tmp_path)
    save(fitted, tmp_path)
    assert saved(tmp_path)
    assert {file.suffix for file in tmp_path.iterdir()} == {".json", ".safetensors"}
    texts = case.texts
    if isinstance(case.rung, Costly):
        # Who reads it back has the tuned encoder's vectors.
        texts = fitted.members[0].encoder.read(texts)  # type: ignore[attr-defined]
    again = load(tmp_path).probabilities(texts)
    np.testing.assert_allclose(again, fitted.probabilities(case.texts), atol=1e-5)


def test_what_it_refuses_it_does_not_fit(case: Case) -> None:
    whole = case.known(1)
    for places in (np.array([], int), np.array([0])):
        part = whole.only(places)
        if case.rung.refusal(part):
            with pytest.raises(FixData, match="labels to learn from"):
                case.rung.fit(part)
        else:
            assert case.rung.fit(part).probabilities(case.texts).shape == (
                len(case.texts),
                len(LABELS),
            )


def test_a_class_without_a_row_keeps_its_place(case: Case) -> None:
    whole = case.known(6)
    part = whole.only(np.flatnonzero(whole.truth != 1))
    chances = case.rung.fit(part).probabilities(case.texts)
    assert chances.shape == (len(case.texts), len(LABELS))
    # Who reads descriptions can still answer it; who does not never does.
    answers = {int(c) for c in chances.argmax(axis=1)}
    assert (1 in answers) == (case.rung.name != "linear probe")


def test_rows_held_out_are_not_learnt_from(case: Case) -> None:
    whole = case.known(6)
    cut = Cut(whole, 3)
    chances = held_out(case.rung, cut)
    assert sorted(cut.held.tolist()) == list(range(len(whole.rows)))
    np.testing.assert_allclose(chances.sum(axis=1), 1.0, atol=1e-9)
    if isinstance(case.rung, OverOthers):
        return
    fold = cut.folds[0]
    alone = case.rung.fit(whole.only(fold.learn)).probabilities(whole.rows.take(fold.check))
    np.testing.assert_allclose(chances[: len(fold.check)], alone)


def test_an_empty_question_and_a_text_without_known_words(case: Case) -> None:
    fitted = case.rung.fit(case.known(6))
    assert fitted.probabilities(Asked([], case.texts.vectors[:0])).shape == (0, len(LABELS))
    tokens = [np.array([1, 2])] * 2
    said = np.zeros((2, 2, len(LABELS)))
    strange = fitted.probabilities(Asked(["", "§§§"], 0 * case.texts.vectors[:2], tokens, said))
    np.testing.assert_allclose(strange.sum(axis=1), 1.0, atol=1e-9)
