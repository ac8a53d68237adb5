"""Every repair passes the same table: it never meets held-out words, and keeps rows apart."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from luthier.core.errors import FixData
from luthier.core.types import Task
from luthier.explain.bias.swap import mentions
from luthier.explain.bias.terms import Lexicon, read_terms
from luthier.explain.objectives.pairing import distances
from luthier.explain.objectives.worst import group_weights
from luthier.explain.repair import Repair, TrainingRows
from luthier.explain.repairs.build import repair_of
from tiny import Bench, make_bench

KINDS = ("pair", "augment", "reweigh", "robust", "erase", "labels", "blind", "none")
LEXICON = read_terms()
TEXTS = [
    "my gay friend", "a straight man", "the lesbian women", "a gay muslim", "nobody at all",
    "Black people here", "old and young", "nothing", "she came home", "a woman",
]  # fmt: skip
ROWS = TrainingRows(TEXTS, np.asarray([0, 1, 0, 1, 2, 0, 1, 2, 0, 1]))
HELD = {t.word for t in LEXICON.terms if t.part == "held"}


def _repair(kind: str, strength: float) -> Repair:
    return repair_of(kind, strength, {"nothing": 1, "my gay friend": 1})


@pytest.mark.parametrize("kind", KINDS)
def test_no_variant_says_a_held_out_word_or_stands_in_a_held_out_mention(kind: str) -> None:
    change = _repair(kind, 1.0).change(ROWS, LEXICON, 0)
    if change.concept is not None:
        named = change.concept.words >= 0
        for text, word in zip(change.concept.texts, change.concept.words, strict=True):
            said = {m.term.word for m in mentions(text, LEXICON)}
            assert HELD.isdisjoint(said) and "colleague" not in text
            assert word < 0 or LEXICON.terms[word].word in said
        assert named.any() and not named.all()
    for variant in (*change.copies, *change.partners):
        assert HELD.isdisjoint(m.term.word for m in mentions(variant.text, LEXICON))
        assert HELD.isdisjoint(m.term.word for m in mentions(TEXTS[variant.row], LEXICON))
        assert variant.text != TEXTS[variant.row]
        assert "colleague" not in variant.text and "My family" not in variant.text


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_change(kind: str) -> None:
    first, second, other = (_repair(kind, 2.0).change(ROWS, LEXICON, s) for s in (3, 3, 4))
    if first.concept is not None:
        assert first.concept.texts == second.concept.texts != other.concept.texts
    assert first.copies == second.copies and first.partners == second.partners
    assert np.array_equal(first.weights, second.weights) if first.weights is not None else True
    assert kind != "pair" or first.partners != other.partners


@pytest.mark.parametrize("kind", KINDS)
def test_held_out_words_of_the_list_change_nothing(kind: str) -> None:
    """Rows and repair words alone decide: another half of held-out words gives the same."""
    kept = tuple(t for t in LEXICON.terms if t.part == "repair")
    templates = tuple(t for t in LEXICON.templates if not t.held)
    mention = tuple(t for t in LEXICON.mentions if not t.held)
    small = Lexicon(kept, {}, templates, mention)
    rows = TrainingRows(["my gay friend", "nothing", "a woman"], np.asarray([0, 1, 0]))
    whole, part = (_repair(kind, 1.0).change(rows, lexicon, 0) for lexicon in (LEXICON, small))
    if whole.concept is not None:
        assert whole.concept.texts == part.concept.texts
    assert whole.copies == part.copies and whole.partners == part.partners


@pytest.mark.parametrize("kind", ["pair", "augment", "erase"])
def test_rows_without_groups_and_no_mentions_are_refused(kind: str) -> None:
    bare = Lexicon(LEXICON.terms, {}, (), ())
    with pytest.raises(FixData, match="none names a group"):
        repair_of(kind, 1.0).change(TrainingRows(["nothing"], np.asarray([0])), bare, 0)


def test_corrected_labels_take_the_place_of_the_rows_own_and_leave_the_others() -> None:
    labels = _repair("labels", 1.0).change(ROWS, LEXICON, 0).labels
    assert labels is not None
    moved = [TEXTS[i] for i in np.flatnonzero(labels != ROWS.labels)]
    assert moved == ["my gay friend", "nothing"] and set(labels[labels != ROWS.labels]) == {1}


@pytest.mark.parametrize("corrected", [{}, {"elsewhere": 1}, {"my gay friend": 0}])
def test_labels_that_change_nothing_are_refused(corrected: dict[str, int]) -> None:
    with pytest.raises(FixData, match="change none"):
        repair_of("labels", 1.0, corrected).change(ROWS, LEXICON, 0)


def test_reweighing_makes_group_and_label_independent_and_keeps_the_mean() -> None:
    texts = ["a gay friend"] * 30 + ["nothing"] * 70
    labels = np.asarray([1] * 24 + [0] * 6 + [1] * 14 + [0] * 56)
    weights = repair_of("reweigh", 1.0).change(TrainingRows(texts, labels), LEXICON, 0).weights
    assert weights is not None and weights.mean() == pytest.approx(1)
    named = np.arange(100) < 30
    shares = [weights[g & (labels == 1)].sum() / weights[g].sum() for g in (named, ~named)]
    assert shares[0] == pytest.approx(shares[1])


def test_the_worst_group_counts_most_and_no_pull_changes_nothing() -> None:
    losses = torch.tensor([1.0, 1.0, 3.0, 1.0])
    group = torch.tensor([5, 5, 7, 5])
    assert torch.equal(group_weights(losses, group, 0.0), torch.ones(4))
    weights = group_weights(losses, group, 1.0)
    assert weights[2] > weights[0] and weights.mean() == pytest.approx(1)


def test_partners_are_as_far_apart_as_their_margins() -> None:
    scores = torch.tensor([[2.0, 0.0], [1.0, 1.0], [0.0, 1.0], [5.0, 0.0]])
    rows = torch.tensor([4, 9, 4, 4])
    weights = torch.tensor([1.0, 1.0, 0.0, 0.0])
    found = distances(scores, rows, weights)
    assert found.tolist() == pytest.approx([((2 + 1) ** 2 + (2 - 5) ** 2) / 2, 0, 0, 0])
    assert distances(scores, rows, torch.ones(4)).tolist() == [0] * 4
    shifted = distances(scores + torch.tensor([[7.0], [0], [0], [0]]), rows, weights)
    assert shifted.tolist() == pytest.approx(found.tolist())


@pytest.fixture(scope="module")
def bench(bert: object) -> Bench:
    """A tiny encoder."""
    return make_bench(bert, Task.CLASSIFY)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", KINDS)
def test_without_partners_and_with_one_group_the_losses_are_the_plain_ones(
    kind: str, bench: Bench
) -> None:
    groups = np.zeros(len(bench.encoded), np.int64)
    objective = repair_of(kind, 1.0).objective(bench.head.losses, groups)
    bench.network.mode(False, False)
    (batch,) = bench.batches(micro_rows=None, batch_size=8).at(0)
    with torch.no_grad():
        plain, found = bench.head.losses(bench.network, batch), objective(bench.network, batch)
    torch.testing.assert_close(found.per_example, plain.per_example)
    assert torch.equal(found.weights, plain.weights)
