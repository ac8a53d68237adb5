"""Words of groups in texts: found as whole words, exchanged in their case, and turned back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier.core.errors import FixData
from luthier.explain.bias.probe import sentences, swaps
from luthier.explain.bias.swap import cased, mentions, swapped
from luthier.explain.bias.terms import Term, read_terms

LEXICON = read_terms()
CASES = [str.lower, str.upper, str.capitalize]
FILL = st.text(alphabet="xyz ,.!\n#@é", max_size=12)


@given(st.sampled_from(LEXICON.terms), st.sampled_from(CASES), FILL, FILL, st.integers(min_value=0))
def test_exchanging_twice_gives_the_text_back(
    term: Term, case: Any, before: str, after: str, pick: int
) -> None:
    others = LEXICON.others(term)
    text = f"{before} {case(term.word)}! {after}"
    (found,) = mentions(text, LEXICON)
    assert found.term == term
    if not others:
        return
    other = others[pick % len(others)]
    changed = swapped(text, found, other)
    assert changed == f"{before} {case(other.word)}! {after}"
    (again,) = mentions(changed, LEXICON)
    assert again.term == other and again.start == found.start
    assert swapped(changed, again, term) == text


@given(st.sampled_from(LEXICON.terms), st.text(alphabet="aeixyz_9", min_size=1, max_size=4))
def test_a_word_within_a_word_is_no_mention(term: Term, glued: str) -> None:
    for text in (glued + term.word, term.word + glued, glued + term.word + glued):
        assert all(m.term.word == text.lower() for m in mentions(text, LEXICON))


def test_words_stand_between_marks_and_in_mixed_case_do_not_count() -> None:
    text = "#Gay, (muslims) MUSLIM/hindu mAn he's"
    assert [m.term.word for m in mentions(text, LEXICON)] == ["gay", "muslim", "hindu", "he"]
    assert cased("woman", "Man") == "Woman" and cased("woman", "MAN") == "WOMAN"


def test_a_repair_never_meets_a_held_out_word() -> None:
    repair = {t.word for t in LEXICON.terms if t.part == "repair"}
    held = {t.word for t in LEXICON.terms if t.part == "held"}
    assert repair.isdisjoint(held) and len(held) >= 20
    texts = ["a gay man", "a gay lesbian", "a queer man", "nothing", "Muslim women"]
    found = swaps(texts, LEXICON, "repair")
    assert {s.row for s in found} == {0}
    for swap in found:
        assert {m.term.part for m in mentions(swap.text, LEXICON)} == {"repair"}
    assert {s.row for s in swaps(texts, LEXICON)} == {0, 1, 2, 4}
    assert len(swaps(["a gay man"], LEXICON, "repair", each=1)) == 1


def test_held_out_sentences_are_not_those_a_repair_sees() -> None:
    words = ("muslim", "sikh")
    one, other = (sentences(LEXICON, words, "adjective", held) for held in (True, False))
    assert set(one.texts).isdisjoint(other.texts)
    assert one.texts[:2] == tuple(one.carriers[0].template.filled(w) for w in words)
    assert one.truth([0]).any() and not one.truth([0]).all()


WRONG: dict[str, Any] = {
    "there is no list 'sets'": {"words": []},
    "unknown key 'set'": {"sets": [], "set": []},
    "there are no words": {"sets": []},
    "axis or kind is missing": {"sets": [{"kind": "noun", "repair": ["cat"]}]},
    "it has no words": {"sets": [{"axis": "a", "kind": "noun"}]},
    "'Cat' is no word": {"sets": [{"axis": "a", "kind": "noun", "repair": ["Cat"]}]},
    "'cat' stands in it twice": {
        "sets": [{"axis": "a", "kind": "noun", "repair": ["cat"], "held": ["cat"]}]
    },
    "has 0 kinds of slot": {
        "sets": [{"axis": "a", "kind": "noun", "repair": ["cat"]}],
        "templates": [{"text": "no slot", "harmful": False}],
    },
    "does not say whether it is harmful": {
        "sets": [{"axis": "a", "kind": "noun", "repair": ["cat"]}],
        "templates": [{"text": "a {noun}"}],
    },
    "{text} is misplaced": {
        "sets": [{"axis": "a", "kind": "noun", "repair": ["cat"]}],
        "mentions": [{"text": "a {noun}"}],
    },
}


@pytest.mark.parametrize("complaint", list(WRONG))
def test_a_file_of_words_says_what_is_wrong(complaint: str, tmp_path: Path) -> None:
    file = tmp_path / "terms.json"
    file.write_text(json.dumps(WRONG[complaint]), encoding="utf-8")
    with pytest.raises(FixData) as caught:
        read_terms(file)
    assert complaint in str(caught.value) and "terms.json" in str(caught.value)


def test_a_file_that_is_no_json_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "terms.json"
    file.write_text("{", encoding="utf-8")
    with pytest.raises(FixData, match="cannot be read as JSON"):
        read_terms(file)
