"""Words of a group are read as one, and every letter leads back to the text given."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from luthier.screen.canonical import canonical
from luthier.screen.reading.spelling import Spelling
from luthier.screen.reading.synonyms import Synonyms

TAUGHT = Synonyms({"film": "movie", "movies": "movie", "reserve": "book"})


def test_exchanging_words_of_a_group_changes_nothing() -> None:
    read = {TAUGHT(t).text for t in ("reserve a film", "book a movie", "Reserve a MOVIES")}
    assert read == {"book a movie"}


def test_without_groups_it_is_what_came_before() -> None:
    text = "p\u0430y the film"
    assert Synonyms({})(text) == canonical(text)


def test_slips_are_undone_first() -> None:
    spelling = Spelling({"film": 9})
    assert Synonyms({"film": "movie"}, spelling)("a flim").text == "a movie"


@given(
    st.text(max_size=40) | st.lists(st.sampled_from(["film", "a", "b\u200b", "x"])).map(" ".join)
)
def test_every_character_has_its_place(text: str) -> None:
    found = TAUGHT(text)
    assert len(found.places) == len(found.text)
    assert list(found.places) == sorted(found.places)
    assert all(0 <= place < len(text) for place in found.places)


def test_a_changed_word_leads_to_the_whole_word_given() -> None:
    text = "the fi\u200blm now"
    found = TAUGHT(text)
    start = found.text.index("movie")
    assert text[slice(*found.back(start, start + 5))] == "fi\u200blm"


def test_other_groups_are_another_contract() -> None:
    assert TAUGHT.hash != Synonyms({"film": "movie"}).hash
