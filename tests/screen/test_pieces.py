"""Pieces, normal form and streams: nothing depends on how a text was chunked."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luthier.screen.normal import normal
from luthier.screen.pieces import MOST, Cutter, pieces
from luthier.screen.screen import Screen
from luthier.screen.stream import Stream
from luthier.screen.surrogate import Surrogates

ANY = st.text(st.characters(codec=None), max_size=400)
PARTS = (
    "Call +1 212 555 0198 now. ", "card 4111 1111 1111 1111\n", "mail bob.lee@firm.example.org ",
    "key AKIAQ3EGRT5UVW2XZ7PL ", "и ещё слово. ", "‮abc‬ ", "\n\n", "The rest is plain prose. ",
    "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBg\nkqhkiG9w0BAQ\n-----END PRIVATE KEY-----\n",
    "x" * 300, " " * 50, "e\u0301\u200b4\u200b1", "\ud800", "SSN 536-90-4399; ",
    "DE89 3704 0044 0532 0130 00 ",
)  # fmt: skip
ACTIONS = {"personal": "redact", "secrets": "redact"}


def a_text(chance: random.Random, parts: int) -> str:
    return "".join(chance.choice(PARTS) for _ in range(parts))


def chunked(text: str, chance: random.Random) -> list[str]:
    cuts = sorted(chance.randrange(len(text) + 1) for _ in range(chance.randrange(1, 12)))
    return [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]


@given(ANY)
def test_pieces_join_to_the_text(text: str) -> None:
    assert "".join(pieces(text)) == text


@given(st.integers(0, 10**6), st.integers(0, 40))
def test_a_piece_has_a_longest_size(seed: int, parts: int) -> None:
    assert all(0 < len(piece) <= MOST for piece in pieces(a_text(random.Random(seed), parts) * 9))


@given(ANY)
def test_every_character_of_the_normal_form_comes_from_the_text(text: str) -> None:
    form = normal(text)
    assert len(form.starts) == len(form.ends) == len(form.text)
    assert all(0 <= s < e <= len(text) for s, e in zip(form.starts, form.ends, strict=True))
    assert list(form.starts) == sorted(form.starts)


@given(ANY)
def test_normal_form_is_a_fixed_point(text: str) -> None:
    once = normal(text).text
    assert normal(normal(once).text).text == normal(once).text


@given(st.integers(0, 10**6))
def test_hidden_and_alike_characters_change_nothing_that_is_found(seed: int) -> None:
    chance = random.Random(seed)
    plain = "pay with card 4111 1111 1111 1111 or mail bob.lee@firm.com today"
    hidden = "".join(c + chance.choice(["", "\u200b", "\u2060", "\ufe0f"]) for c in plain)
    wide = "".join(
        chr(ord(c) + 0xFEE0) if c.isdigit() and chance.random() < 0.5 else c for c in hidden
    )
    found = Screen().find(wide)
    assert [s.kind for s in found] == [s.kind for s in Screen().find(plain)]
    assert [normal(wide[s.start : s.end]).text for s in found] == [
        "4111 1111 1111 1111",
        "bob.lee@firm.com",
    ]


def test_a_stream_equals_the_whole_in_ten_thousand_chunkings() -> None:
    chance = random.Random(5)
    screen, surrogates = Screen(), Surrogates(3)
    for _ in range(100):
        text = a_text(chance, 30)
        whole = Stream(screen, ACTIONS, surrogates)
        expected = "".join([*whole.feed(text), *whole.finish()])
        assert whole.found == screen.find(text)
        known = {piece: screen.find_in(piece) for piece in pieces(text)}
        for _ in range(100):
            stream = Stream(Known(known), ACTIONS, surrogates)  # type: ignore[arg-type]
            chunks = chunked(text, chance)
            out = [said for chunk in chunks for said in stream.feed(chunk)]
            assert "".join([*out, *stream.finish()]) == expected
            assert stream.found == whole.found


class Known:
    """Findings by piece, looked up; a piece that another chunking made fails the look-up."""

    def __init__(self, found: dict) -> None:
        self.find_in = found.__getitem__


@settings(max_examples=50, deadline=None)
@given(st.lists(ANY, max_size=8))
def test_a_stream_of_any_characters_equals_the_whole(chunks: list[str]) -> None:
    screen, surrogates = Screen(), Surrogates(3)
    one, many = Stream(screen, ACTIONS, surrogates), Stream(screen, ACTIONS, surrogates)
    expected = "".join([*one.feed("".join(chunks)), *one.finish()])
    out = [said for chunk in chunks for said in many.feed(chunk)]
    assert "".join([*out, *many.finish()]) == expected


def test_what_is_held_back_is_bounded() -> None:
    cutter = Cutter()
    given_, passed = 0, 0
    for _ in range(3000):
        given_ += 97
        passed += sum(len(piece) for piece in cutter.feed("a" * 97))
        assert given_ - passed < MOST


def test_a_blocked_stream_passes_nothing_more_on() -> None:
    stream = Stream(Screen(), {"secrets": "block"}, Surrogates(0))
    start = "Plain words come first and they are passed on as they are written. " * 4
    out = [*stream.feed(start), *stream.feed("AKIAQ3EGRT5UVW2XZ7PL\n"), *stream.finish()]
    out += [*stream.feed("after"), *stream.finish()]
    assert stream.action == "block"
    assert "AKIA" not in "".join(out)
    assert "after" not in "".join(out)
    assert start.startswith("".join(out))


@pytest.mark.parametrize("text", ["", "\x00\x01\xff" * 50, "\u202eabc\u202c", "🙂" * 4000])
def test_odd_texts_are_screened(text: str) -> None:
    assert Screen().find(text) == []
