"""What is hidden from a masked language model: how much, what, and that it can be drawn again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luthier.core.errors import FixModel
from luthier.core.types import Task
from luthier.data.feed.batches import BatchPlan, EpochBatches, collate
from luthier.data.feed.contract import make_contract
from luthier.data.feed.encode import Encoded, encode
from luthier.data.feed.labels import LabelSet
from luthier.data.feed.masking import Masking
from tiny import ListedRows, make_tokenizer, task_rows

MASKING = Masking(mask_id=4, vocabulary=300, special=(0, 1, 2, 4))
PLAN = BatchPlan(batch_size=8, seed=5, pad_id=0)


def _tokenizer() -> Any:
    tokenizer = make_tokenizer(special=("<mask>",), encoder=True)
    tokenizer.mask_token = "<mask>"
    return tokenizer


def _encoded(rows: list[dict[str, Any]], max_tokens: int = 64) -> Encoded:
    tokenizer = _tokenizer()
    contract = make_contract(tokenizer, None, (), max_tokens)
    contract = replace(contract, masking=Masking.of(tokenizer, 320, "here"))
    return encode(ListedRows(Task.ADAPT, rows), contract, LabelSet(()), "rows")


@settings(max_examples=100, deadline=None)
@given(
    ids=st.lists(st.integers(0, 299), min_size=1, max_size=80),
    seed=st.integers(0, 2**62),
    other=st.integers(0, 2**62),
)
def test_a_fixed_number_of_words_is_hidden(ids: list[int], seed: int, other: int) -> None:
    given_ids = np.asarray(ids)
    words = ~np.isin(given_ids, MASKING.special)
    found = MASKING.drawn(given_ids, seed)
    wanted = max(1, round(0.15 * words.sum())) if words.any() else 0
    assert found.learn.sum() == MASKING.drawn(given_ids, other).learn.sum() == wanted
    assert not found.learn[~words].any()
    assert (found.ids[found.learn == 0] == given_ids[found.learn == 0]).all()
    replaced = found.ids[found.learn == 1]
    assert not np.isin(replaced, [s for s in MASKING.special if s != MASKING.mask_id]).any()
    assert ((found.ids >= 0) & (found.ids < MASKING.vocabulary)).all()


def test_eighty_ten_ten() -> None:
    ids = np.full(200_000, 7)
    found = MASKING.drawn(ids, 3)
    shown = found.ids[found.learn == 1]
    assert len(shown) == 30_000
    assert (shown == MASKING.mask_id).mean() == pytest.approx(0.8, abs=0.01)
    others = shown[shown != MASKING.mask_id]
    assert (others == 7).sum() / len(shown) == pytest.approx(0.1, abs=0.01)
    # Every word may stand in the place of another, one about as often as the next.
    counts = np.bincount(others[others != 7], minlength=300)[list(MASKING.words)]
    assert (counts > 0).sum() == len(MASKING.words) - 1


def test_drawn_again_it_is_the_same_and_elsewhere_it_differs() -> None:
    ids = np.arange(5, 105)
    first, again = MASKING.drawn(ids, 3), MASKING.drawn(ids, 3)
    np.testing.assert_array_equal(first.ids, again.ids)
    assert (first.learn != MASKING.drawn(ids, 4).learn).any()
    fixed = MASKING.fixed(ids.astype(np.int32))
    np.testing.assert_array_equal(fixed.ids, MASKING.fixed(ids.astype(np.int64)).ids)
    np.testing.assert_array_equal(fixed.learn, MASKING.fixed(ids).learn)
    assert (fixed.learn != MASKING.fixed(ids + 1).learn).any()


def test_masks_depend_on_seed_row_and_pass_alone() -> None:
    encoded = _encoded(task_rows(Task.ADAPT, 24))
    chosen = np.arange(24)

    def shown(batches: EpochBatches, steps: range) -> dict[int, list[int]]:
        found = {}
        for step in steps:
            for micro in batches.at(step).micro:
                for row, ids, mask in zip(micro.rows, micro.ids, micro.mask, strict=True):
                    found[int(row)] = ids[mask > 0].tolist()
        return found

    whole = shown(EpochBatches(encoded, chosen, PLAN), range(3))
    single = shown(EpochBatches(encoded, chosen, replace(PLAN, micro_rows=1)), range(3))
    other_batches = replace(PLAN, batch_size=6, bucket=False)
    assert whole == single == shown(EpochBatches(encoded, chosen, other_batches), range(4))
    half = shown(EpochBatches(encoded, chosen[12:], PLAN), range(2))
    assert half == {row: whole[row] for row in half}
    second = shown(EpochBatches(encoded, chosen, PLAN), range(3, 6))
    seeded = shown(EpochBatches(encoded, chosen, replace(PLAN, seed=6)), range(3))
    for changed in (second, seeded):
        assert sum(changed[row] != whole[row] for row in whole) > 12


def test_without_a_pass_the_masks_are_fixed_by_the_text() -> None:
    rows = task_rows(Task.ADAPT, 12)
    forward, backward = _encoded(rows), _encoded(rows[::-1])
    assert forward.learn is not None
    batch = collate(forward, np.arange(12), PLAN)
    turned = collate(backward, np.arange(12)[::-1], replace(PLAN, seed=9))
    assert batch.ids.tolist() == turned.ids.tolist()
    assert batch.learn is not None and batch.targets is not None
    for place in range(12):
        length = len(forward.ids[place])
        assert batch.learn[place, :length].tolist() == forward.learn[place].tolist()
        assert batch.targets[place, :length].tolist() == forward.ids[place].tolist()


def test_weights_are_hidden_tokens_times_the_row_weight() -> None:
    rows = task_rows(Task.ADAPT, 6)
    heavy = [{**row, "weight": 3.0} for row in rows]
    plain, weighed = _encoded(rows), _encoded(heavy)
    assert plain.learn is not None
    assert plain.weights.tolist() == [plain.learn[i].sum() for i in range(6)]
    assert min(plain.weights) >= 1
    np.testing.assert_array_equal(weighed.weights, 3 * plain.weights)
    batches = EpochBatches(plain, np.arange(6), PLAN)
    for step in range(4):
        for micro in batches.at(step).micro:
            assert micro.learn is not None
            assert micro.learn.sum(1).tolist() == micro.weights.tolist()


def test_a_long_text_becomes_equal_pieces_and_nothing_is_lost() -> None:
    text = " ".join(row["text"] for row in task_rows(Task.ADAPT, 30))
    encoded = _encoded([{"text": text}, {"text": "the fee"}], max_tokens=20)
    tokenizer = _tokenizer()
    whole = tokenizer(text)["input_ids"]
    pieces = [encoded.ids[i].tolist() for i in range(len(encoded)) if encoded.rows[i] == 0]
    assert [t for piece in pieces for t in piece[1:-1]] == whole[1:-1]
    assert all(piece[0] == whole[0] and piece[-1] == whole[-1] for piece in pieces)
    lengths = [len(piece) for piece in pieces]
    assert max(lengths) <= 20 and max(lengths) - min(lengths) <= 1
    assert encoded.count.truncated_rows == 0


def test_a_text_without_words_is_left_out_and_counted() -> None:
    encoded = _encoded([{"text": "</s>"}, {"text": "the fee"}])
    assert encoded.rows.tolist() == [1]
    assert encoded.count.dropped_rows == 1 and encoded.count.where_dropped == [1]


def test_what_is_saved_is_what_is_loaded(tmp_path: Any) -> None:
    encoded = _encoded(task_rows(Task.ADAPT, 5))
    encoded.save(tmp_path)
    again = Encoded.load(tmp_path)
    assert again.masking == encoded.masking
    one, other = (collate(e, np.arange(5), PLAN) for e in (encoded, again))
    assert one.ids.tolist() == other.ids.tolist()


def test_a_tokenizer_without_a_mask_is_refused() -> None:
    with pytest.raises(FixModel, match="no mask token"):
        Masking.of(make_tokenizer(encoder=True), 320, "model here")
    with pytest.raises(FixModel, match="no mask token"):
        Masking.of(_tokenizer(), 3, "model here")


def test_the_contract_names_what_is_hidden() -> None:
    tokenizer = _tokenizer()
    plain = make_contract(tokenizer, None, (), 32)
    masked = replace(plain, masking=Masking.of(tokenizer, 320, "here"))
    assert plain.hash != masked.hash
    assert "masking" not in plain.as_dict()
    assert masked.as_dict()["masking"]["share"] == 0.15
