"""Rows as tokens, targets and weights, in memory and on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luthier.core.errors import FixData
from luthier.core.types import Task
from luthier.data.feed.contract import PLAIN_TEMPLATE, PromptContract, make_contract
from luthier.data.feed.encode import Encoded, encode
from luthier.data.feed.labels import LabelSet, spans_from_tags, tags_from_spans
from luthier.data.feed.pack import first_fit
from luthier.data.feed.ragged import Ragged
from tiny import ListedRows, make_tokenizer, task_rows


def _contract(task: Task, max_tokens: int = 200) -> PromptContract:
    tokenizer = make_tokenizer(encoder=not task.generates)
    template = PLAIN_TEMPLATE if task.generates else None
    return make_contract(tokenizer, template, [tokenizer.eos_token_id], max_tokens)


def _encode(task: Task, rows: list | None = None, max_tokens: int = 200) -> Encoded:
    listed = rows or task_rows(task)
    labels = LabelSet.collect(task, iter(listed))
    return encode(ListedRows(task, listed), _contract(task, max_tokens), labels, "rows.csv")


def _same(one: Ragged | np.ndarray | None, other: Ragged | np.ndarray | None) -> None:
    assert type(one) is type(other)
    if isinstance(one, Ragged) and isinstance(other, Ragged):
        np.testing.assert_array_equal(one.values, other.values)
        np.testing.assert_array_equal(one.offsets, other.offsets)
        assert one.values.dtype == other.values.dtype
    elif one is not None and other is not None:
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("task", list(Task))
def test_saved_and_loaded(task: Task, tmp_path: Path) -> None:
    made = _encode(task)
    made.save(tmp_path)
    again = Encoded.load(tmp_path)
    for name in ("ids", "rows", "weights", "learn", "targets", "offsets"):
        _same(getattr(made, name), getattr(again, name))
    assert (again.task, again.count) == (made.task, made.count)
    assert again.lengths.tolist() == made.lengths.tolist()
    assert not list(tmp_path.glob("*.pkl"))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(st.integers(0, 60000), max_size=9), max_size=9))
def test_ragged_gives_back_what_it_got(sequences: list[list[int]]) -> None:
    ragged = Ragged.pack(sequences, "int32")
    assert [ragged[i].tolist() for i in range(len(ragged))] == sequences
    assert ragged.lengths.tolist() == [len(s) for s in sequences]
    backwards = ragged.take(np.arange(len(ragged))[::-1])
    assert [backwards[i].tolist() for i in range(len(ragged))] == sequences[::-1]


def test_ragged_saved_and_mapped(tmp_path: Path) -> None:
    rows = [np.ones((2, 3), np.float32), np.zeros((0, 3), np.float32), np.full((1, 3), 7.0)]
    ragged = Ragged.pack(rows, "float32")
    ragged.save(tmp_path, "hidden")
    again = Ragged.load(tmp_path, "hidden")
    assert isinstance(again.values, np.memmap)
    for i, row in enumerate(rows):
        np.testing.assert_array_equal(again[i], row)


def test_pickled_arrays_are_refused(tmp_path: Path) -> None:
    Ragged.pack([[1], [2]], "int32").save(tmp_path, "ids")
    np.save(tmp_path / "ids.offsets.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="allow_pickle"):
        Ragged.load(tmp_path, "ids")


@settings(max_examples=80, deadline=None)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=60), st.integers(1, 40))
def test_packing_never_cuts_and_never_loses(lengths: list[int], capacity: int) -> None:
    bins = first_fit(np.array(lengths), capacity)
    assert sorted(place for b in bins for place in b) == list(range(len(lengths)))
    for b in bins:
        assert sum(lengths[p] for p in b) <= capacity or len(b) == 1
    # Two bins that fit into one would be waste.
    loads = sorted(sum(lengths[p] for p in b) for b in bins)
    assert len(loads) < 2 or loads[0] + loads[1] > capacity


def test_packing_fills_well() -> None:
    lengths = np.random.default_rng(0).integers(5, 60, 300)
    bins = first_fit(lengths, 128)
    assert len(bins) <= 1.05 * lengths.sum() / 128 + 1


def _words(count: int) -> tuple[str, list[tuple[int, int]]]:
    text = " ".join(["money", "fee", "card"][i % 3] for i in range(count))
    places, at = [], 0
    for word in text.split():
        places.append((at, at + len(word)))
        at += len(word) + 1
    return text, places


@settings(max_examples=60, deadline=None)
@given(
    kinds=st.lists(st.sampled_from(["", "a", "b"]), min_size=1, max_size=12),
    joined=st.lists(st.booleans(), min_size=12, max_size=12),
)
def test_spans_come_back_from_tags(kinds: list[str], joined: list[bool]) -> None:
    labels = LabelSet(("a", "b"))
    text, places = _words(len(kinds))
    spans: list[tuple[int, int, str]] = []
    for i, kind in enumerate(kinds):
        if kind and i and kinds[i - 1] == kind and joined[i]:
            spans[-1] = (spans[-1][0], places[i][1], kind)
        elif kind:
            spans.append((*places[i], kind))
    made = _encode_spans([{"text": text, "spans": [list(s) for s in spans]}], labels)
    assert isinstance(made.targets, Ragged) and made.offsets is not None
    offsets = [(int(a), int(b)) for a, b in made.offsets[0]]
    assert spans_from_tags(made.targets[0].tolist(), offsets, labels) == spans
    assert made.targets[0][0] == -100, "the mark at the start covers no text"


_TAGGING = _contract(Task.TAG)


def _encode_spans(rows: list, labels: LabelSet) -> Encoded:
    return encode(ListedRows(Task.TAG, rows), _TAGGING, labels, "rows.csv")


def test_an_inside_tag_alone_begins_a_span() -> None:
    labels = LabelSet(("a", "b"))
    offsets = [(0, 0), (0, 2), (3, 5), (6, 8), (0, 0)]
    assert labels.tags == ("O", "B-a", "I-a", "B-b", "I-b")
    assert spans_from_tags([-100, 2, 4, 4, -100], offsets, labels) == [(0, 2, "a"), (3, 8, "b")]


def test_a_span_within_a_token_takes_the_token() -> None:
    assert tags_from_spans([[3, 4, "a"]], [(0, 2), (2, 6)], LabelSet(("a",))) == [0, 1]


def test_a_span_type_training_never_saw() -> None:
    rows = [{"text": "the fee", "spans": [[0, 3, "drgu"]]}]
    with pytest.raises(FixData, match=r"rows\.csv, row 1: .*'drgu'.*did you mean 'drug'"):
        _encode_spans(rows, LabelSet(("drug",)))


def test_a_label_training_never_saw() -> None:
    rows = ListedRows(Task.CLASSIFY, [{"text": "the fee", "label": "crad"}])
    with pytest.raises(FixData, match=r"row 1: .*'crad'.*did you mean 'card'"):
        encode(rows, _contract(Task.CLASSIFY), LabelSet(("card", "loan")), "rows.csv")


def test_a_long_text_keeps_its_closing_mark() -> None:
    rows = [{"text": "money " * 50, "label": "a"}, {"text": "fee", "label": "b"}]
    made = _encode(Task.CLASSIFY, rows, max_tokens=12)
    tokenizer = make_tokenizer(encoder=True)
    assert made.ids[0][0] == tokenizer.convert_tokens_to_ids("<cls>")
    assert made.ids[0][-1] == tokenizer.convert_tokens_to_ids("<sep>")
    assert len(made.ids[0]) == 12
    whole = len(_encode(Task.CLASSIFY, rows).ids[0])
    assert (made.count.truncated_rows, made.count.truncated_tokens) == (1, whole - 12)


def test_a_long_document_loses_nothing() -> None:
    texts = ["the bank pays " * 20, "fee"]
    made = _encode(Task.ADAPT, [{"text": text} for text in texts], max_tokens=16)
    tokenizer = make_tokenizer()
    for row, text in enumerate(texts):
        own = [made.ids[int(i)] for i in np.flatnonzero(made.rows == row)]
        assert tokenizer.decode(np.concatenate(own).tolist()) == f"<s>{text}</s>"
    assert made.count.truncated_rows == made.count.dropped_rows == 0
    assert made.count.rows == 2


def test_among_keeps_table_rows_apart() -> None:
    made = _encode(Task.ADAPT, [{"text": "fee " * n} for n in (1, 30, 2)], max_tokens=8)
    parts = [made.among(np.array(rows)) for rows in ([0], [1], [2], [0, 2])]
    assert sorted(np.concatenate(parts[:3]).tolist()) == list(range(len(made)))
    assert set(made.rows[parts[3]].tolist()) == {0, 2}


def test_an_unknown_label_is_told_with_those_that_training_saw() -> None:
    with pytest.raises(FixData, match=r"'cart' .*it saw 'card', 'loan'\. did you mean 'card'\?"):
        LabelSet(("card", "loan")).number("cart", "--class")
    many = LabelSet(tuple(f"l{i:02}" for i in range(20)))
    with pytest.raises(FixData, match="'l07' and 12 more"):
        many.number("other", "--class")
