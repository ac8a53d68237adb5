"""Slips of the keyboard are undone near known words, and nothing else changes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier.screen.spelling import Spelling, one_slip

TAUGHT = Spelling({"table": 40, "book": 60, "play": 30, "rate": 20, "odd": 2}, frozenset(
    {"tale", "weather", "rates", "pay", "the"}
))  # fmt: skip
WORDS = st.text(st.sampled_from("abelot"), min_size=1, max_size=7)


@pytest.mark.parametrize(
    ("given_text", "meant"),
    [
        ("Book a tabel", "Book a table"),
        ("a taable for 2", "a table for 2"),
        ("pkay it", "play it"),
        ("tale of two", "table of two"),
        ("wether today", "weather today"),
        ("the odd one", "the odd one"),
        ("Smithville 77x", "Smithville 77x"),
        ("t\u0430ble", "table"),
    ],
)
def test_the_likeliest_near_word_is_taken(given_text: str, meant: str) -> None:
    assert TAUGHT(given_text).text == meant


def test_words_of_training_rows_stay() -> None:
    text = "odd rate book table play"
    assert TAUGHT(text).text == text


def test_a_known_word_becomes_only_a_frequent_one() -> None:
    rare = Spelling({"table": 4}, frozenset({"tale"}))
    assert rare("a tale").text == "a tale"


@given(st.text(max_size=60) | st.lists(WORDS).map(" ".join))
def test_every_character_has_a_place(text: str) -> None:
    found = TAUGHT(text)
    assert len(found.places) == len(found.text)
    assert list(found.places) == sorted(found.places)
    assert all(0 <= place < len(text) for place in found.places)


def test_a_changed_word_leads_back_to_the_whole_word_given() -> None:
    text = "my taable please"
    found = TAUGHT(text)
    start = found.text.index("table")
    assert text[slice(*found.back(start, start + len("table")))] == "taable"


@given(WORDS, WORDS)
def test_a_slip_goes_both_ways(one: str, other: str) -> None:
    assert one_slip(one, other) == one_slip(other, one)
    assert not one_slip(one, one)


def test_words_of_single_rows_are_not_kept() -> None:
    learnt = Spelling.learn(["call Mr Zabriskie", "call the bank", "the bank"], ["weather", "to"])
    assert dict(learnt.rows) == {"bank": 2, "call": 2, "the": 2}
    assert learnt("weathr too").text == "weather too"


def test_other_words_are_another_contract() -> None:
    assert Spelling({"table": 4}).hash != Spelling({"table": 5}).hash
    assert Spelling({"a": 1, "b": 2}).hash == Spelling({"b": 2, "a": 1}).hash
