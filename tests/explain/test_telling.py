"""Nothing is said that was not tried, and edits turn the answer when they are read again."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier.explain.attribution import Attribution, Passage
from luthier.explain.passages import words_of
from luthier.explain.telling.claims import claims_of, for_level
from luthier.explain.telling.edits import Edit, Search, smallest_edits
from luthier.explain.telling.reader import Reader, edited

WEIGHTS = {"good": 2.0, "nice": 1.0, "awful": -3.0, "not": -0.5}


class Mood(Reader):
    """Two classes by a count of words."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.__dict__["asked"] = []

    def chances(self, texts):  # type: ignore[no-untyped-def]
        self.__dict__["asked"] += list(texts)
        moods = [sum(WEIGHTS.get(w, 0.0) for w in t.split()) for t in texts]
        good = 1 / (1 + np.exp(-np.asarray(moods)))
        return np.stack([1 - good, good], 1)


def _passage(text: str) -> Passage:
    words = tuple(words_of(text))
    count = len(words)
    return Passage(text, np.arange(count), words, np.arange(count))


def _reader() -> Mood:
    made = object.__new__(Mood)
    made.__dict__["asked"] = []
    return made


def _told(passage: Passage) -> Attribution:
    scores = np.asarray([WEIGHTS.get(w, 0.0) for w in passage.spelt])
    return Attribution("x", scores, True)


def test_what_is_said_holds() -> None:
    passage, reader = _passage("a good and not nice film"), _reader()
    claims = claims_of(reader, passage, _told(passage), ["bad", "fine"])
    said = {c.kind: c for c in claims}
    assert "'fine'" in said["decision"].says
    assert said["necessity"].words[0] == "good"
    assert said["necessity"].numbers["after"] < said["necessity"].numbers["before"]
    assert said["against"].words == ("not",)
    assert said["against"].numbers["after"] > said["against"].numbers["before"]


def test_the_heaviest_word_is_named_first() -> None:
    passage = _passage("a nice and good film")
    claims = claims_of(_reader(), passage, _told(passage), ["bad", "fine"])
    said = {c.kind: c for c in claims}
    assert "'good' and 'nice' spoke for it most" in said["necessity"].says
    assert said["sufficiency"].words == ("good", "nice")
    sizes = Attribution("x", np.abs(_told(passage).scores), False)
    says = [c.says for c in claims_of(_reader(), passage, sizes, ["bad", "fine"])]
    assert any("'good' and 'nice' mattered most" in each for each in says)


def test_a_claim_that_does_not_hold_is_not_said() -> None:
    passage, reader = _passage("a good film"), _reader()
    # These scores are wrong: they name words that do nothing.
    wrong = Attribution("x", np.asarray([1.0, -2.0, 0.5]), True)
    kinds = {c.kind for c in claims_of(reader, passage, wrong, ["bad", "fine"])}
    assert kinds == {"decision"}


def test_unsure_is_said() -> None:
    passage = _passage("a plain film")
    told = _told(passage)
    assert "unsure" in {c.kind for c in claims_of(_reader(), passage, told, ["bad", "fine"])}


def test_levels_differ() -> None:
    passage = _passage("a good and not nice film")
    claims = claims_of(_reader(), passage, _told(passage), ["bad", "fine"])
    assert len(for_level(claims, "customer")) < len(for_level(claims, "analyst"))


def test_edits_turn_the_answer_and_are_the_smallest() -> None:
    passage, reader = _passage("a good film"), _reader()
    found = smallest_edits(reader, passage, [1, 0, 2], lambda w: ["awful"] if w == "good" else [])
    assert found and found[0].changes == ((1, "awful"),)
    for edit in found:
        assert int(reader.chances([edit.text])[0].argmax()) == edit.answer == 0


def test_words_left_out_together_are_listed_once() -> None:
    passage, reader = _passage("a good and nice film"), _reader()
    edit = Edit(((1, None), (3, None)), "a and film", 0, 0.5)
    claims = claims_of(reader, passage, _told(passage), ["bad", "fine"], [edit])
    (said,) = [c.says for c in claims if c.kind == "edit"]
    assert said.endswith("if 'good' and 'nice' were left out.")


def test_no_edit_where_nothing_turns_it() -> None:
    passage = _passage("a good film")
    assert smallest_edits(_reader(), passage, [0, 2], lambda w: []) == []
    assert smallest_edits(_reader(), _passage("good"), [0], lambda w: []) == []


@pytest.mark.parametrize("padding", [0, 500])
def test_the_longer_a_text_the_fewer_changes_are_tried(padding: int) -> None:
    passage, reader = _passage("a very good and nice film " + "so " * padding), _reader()
    order, how = [2, 4, 1, 3, 5, 0], Search()
    (found, *_) = smallest_edits(reader, passage, order, lambda w: ["awful", *"bcdefg"], how)
    # The heaviest words are changed first, so what turns the answer is still among the few.
    assert found.text.split()[:6] == ["a", "very", "awful", "and", "nice", "film"]
    firm = _passage("good " * (6 + padding))
    reader = _reader()
    assert smallest_edits(reader, firm, range(6), lambda w: [*"abcdefg"], how) == []
    read = sum(len(words_of(text)) for text in reader.asked[1:])
    assert 0 < read <= how.read
    if not padding:
        # A short text has every word of the list tried.
        assert len(reader.asked) > 6 * 7


@given(st.text(max_size=60))
def test_words_lie_in_order_inside_the_text(text: str) -> None:
    last = 0
    for start, stop in words_of(text):
        assert last <= start < stop <= len(text)
        assert not text[start:stop].isspace()
        last = stop
    left = "".join(text[a:b] for a, b in words_of(text))
    assert sorted(left) == sorted(c for c in text if not c.isspace() and c in left)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<user> you </b>", ["<user>", "you", "</b>"]),
        ("so:<number>!", ["so", ":", "<number>", "!"]),
        ("a < b <3", ["a", "<", "b", "<", "3"]),
        ("($ACME) @bank #rates", ["(", "$ACME", ")", "@bank", "#rates"]),
        ("up 2.5%, 1,000.5M.", ["up", "2.5%", ",", "1,000.5M", "."]),
        ("at https://acme.org/a?b=1.", ["at", "https://acme.org/a?b=1", "."]),
        ("don't well-known", ["don't", "well-known"]),
        ("今日https://acme.org日", ["今", "日", "https://acme.org", "日"]),
    ],
)
def test_what_belongs_together_is_one_word(text: str, words: list[str]) -> None:
    assert [text[a:b] for a, b in words_of(text)] == words


@pytest.mark.parametrize(
    ("change", "wanted"), [(None, "a film"), ("bad", "a bad film")], ids=["out", "exchanged"]
)
def test_words_are_changed_in_place(change: str | None, wanted: str) -> None:
    assert edited(_passage("a good film"), [(1, change)]) == wanted
