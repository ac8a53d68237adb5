"""Slips of the keyboard are undone near known words, and nothing else changes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luthier.safety.attacks.characters import misspelt
from luthier.screen.reading.slips import ODD, slip
from luthier.screen.reading.spelling import Spelling

USUAL = ("the", "weather", "rates", "pay", "find", "south", "hope", "help")
RARE = (*(f"filler{i}" for i in range(20_000)), "lok", "sould")
TAUGHT = Spelling(
    {"table": 40, "book": 60, "play": 30, "rate": 20, "odd": 2, "look": 9, "for": 50},
    (*USUAL, *RARE),
    {"look for": 8, "play book": 3},
    100,
)
HIDING = replace(TAUGHT, unknown="[UNK]")
WORDS = st.text(st.sampled_from("abelot"), min_size=1, max_size=7)


@pytest.mark.parametrize(
    ("given_text", "meant"),
    [
        ("Book a tabel", "Book a table"),
        ("a taable for 2", "a table for 2"),
        ("pkay it", "play it"),
        ("lok for it", "look for it"),
        ("BOOK a TABEL", "BOOK a TABLE"),
        ("Tabel", "Table"),
        ("a hzre", "a hzre"),
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


def test_what_stands_beside_a_word_decides_between_two() -> None:
    rows = {"live": 5, "love": 5, "music": 20, "songs": 20}
    taught = Spelling(rows, (), {"live music": 5, "love songs": 5}, 40)
    assert taught("lve music and lve songs").text == "live music and love songs"


def test_a_known_word_becomes_only_a_likelier_one() -> None:
    words = ("meet", "find", *(f"filler{i}" for i in range(20_000)), "meat")
    assert Spelling({"other": 4}, words)("meet meat").text == "meet meat"


@settings(deadline=None)
@given(st.text(max_size=60) | st.lists(WORDS).map(" ".join))
def test_every_character_has_a_place(text: str) -> None:
    for found in (TAUGHT(text), HIDING(text)):
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
    assert (slip(one, other) is None) == (slip(other, one) is None)
    assert slip(one, one) is None


@pytest.mark.parametrize("seed", range(5))
def test_slips_of_the_attack_are_those_of_fingers(seed: int) -> None:
    dice = np.random.default_rng(seed)
    for word in ("weather", "playlist", "restaurant"):
        made = {misspelt(word, "typos", dice) for _ in range(30)} - {word}
        assert not {slip(m, word) for m in made} & (ODD | {None})


@pytest.mark.parametrize(
    ("given_text", "read"),
    [
        ("book Zabriskie or Zabriskei", "book [UNK] or [UNK]"),
        ("the tabel at 7 or B7x", "the table at 7 or B7x"),
        ("a tàblé", "a tàblé"),
        ("книга и 本を読む", "книга и 本を読む"),
        ("ab BZ", "ab BZ"),
        ("ODDITY", "[UNK]"),
    ],
)
def test_words_nobody_knows_are_one_word_where_that_is_asked(given_text: str, read: str) -> None:
    assert HIDING(given_text).text == read


def test_words_of_single_rows_are_not_kept() -> None:
    texts = ["call Mr Zabriskie", "call the bank", "the bank"]
    learnt = Spelling.learn(texts, ["weather", "to"])
    assert dict(learnt.rows) == {"bank": 2, "call": 2, "the": 2}
    assert set(learnt.pairs) == {"^ call", "the bank", "bank $"}
    assert learnt("weathr too").text == "weather too"


def test_other_words_are_another_contract() -> None:
    assert Spelling({"table": 4}).hash != Spelling({"table": 5}).hash
    assert Spelling({}, ("a", "b")).hash != Spelling({}, ("b", "a")).hash
    assert Spelling({}, (), {"a b": 2}).hash != Spelling({}).hash
    assert HIDING.hash != TAUGHT.hash
    assert Spelling({"a": 1, "b": 2}).hash == Spelling({"b": 2, "a": 1}).hash
