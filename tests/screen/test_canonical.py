"""Invisible and look-alike characters are undone, and nothing else is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier.screen.canonical import INVISIBLE, LOOK_ALIKES, canonical

ENGLISH = st.text(st.sampled_from("abc XYZ opqrst.,0189'-"), max_size=40)


@given(st.text(max_size=60))
def test_twice_is_once(text: str) -> None:
    once = canonical(text).text
    assert canonical(once).text == once


@given(st.text(max_size=60))
def test_every_character_knows_its_place(text: str) -> None:
    found = canonical(text)
    assert len(found.places) == len(found.text)
    assert list(found.places) == sorted(set(found.places))
    assert all(0 <= p < len(text) for p in found.places)
    if found.text:
        assert found.back(0, len(found.text))[1] <= len(text)


@given(ENGLISH, st.integers(0, 2**32 - 1))
def test_exact_against_invisible_characters(text: str, seed: int) -> None:
    dice = np.random.default_rng(seed)
    disturbed = "".join(
        letter + (INVISIBLE[dice.integers(len(INVISIBLE))] if dice.random() < 0.5 else "")
        for letter in text
    )
    assert canonical(disturbed).text == text


@pytest.mark.parametrize("latin", sorted(LOOK_ALIKES))
def test_exact_against_every_look_alike(latin: str) -> None:
    for look in LOOK_ALIKES[latin]:
        assert canonical(f"the bz{look}z word").text == f"the bz{latin}z word"


@pytest.mark.parametrize(
    "text",
    ["", "a", "Москва и Київ", "Αθήνα", "שלום \u200fעולם"[:4], "می\u200cخواهم", "👩\u200d💻",
     "❤\ufe0f",     "naïve café", "日本語", "क्\u200dष"],
)  # fmt: skip
def test_other_scripts_and_pictures_stay(text: str) -> None:
    assert canonical(text).text == text
    assert canonical(text).places == tuple(range(len(text)))


def test_wide_letters_become_plain() -> None:
    assert canonical("ｐａｙ 𝐧𝐨𝐰").text == "pay now"
