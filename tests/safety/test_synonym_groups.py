"""Near words form a group unless their training labels differ."""

from __future__ import annotations

import numpy as np

from luthier.safety.lexicon import Lexicon
from luthier.safety.synonyms import groups

NAMES = ("play", "game", "film", "movie", "movies")
NEAR = {0: [1], 1: [0], 2: [3, 4], 3: [2, 4], 4: [3, 2]}
LEXICON = Lexicon(
    np.arange(5),
    np.asarray([(NEAR[i] + [-1])[:2] for i in range(5)], np.int64),
    dict(enumerate(NAMES)),
)


def test_neighbours_are_read_as_the_most_frequent_of_them() -> None:
    texts = ["a movie"] * 5 + ["a film"] * 2
    found = groups(LEXICON, texts, ["see"] * 7)
    assert found["film"] == found["movies"] == "movie"
    assert "movie" not in found


def test_words_of_different_labels_stay_apart() -> None:
    texts, labels = ["play it"] * 12 + ["game it"] * 12, ["music"] * 12 + ["book"] * 12
    assert "game" not in groups(LEXICON, texts, labels)
    assert groups(LEXICON, texts, ["music", "book"] * 12)["game"] == "play"


def test_a_word_of_one_row_is_taken_for_unseen() -> None:
    texts, labels = ["play it"] * 40 + ["game it"], ["music"] * 40 + ["book"]
    assert groups(LEXICON, texts, labels)["game"] == "play"


def test_what_a_word_is_read_as_is_read_as_itself() -> None:
    found = groups(LEXICON, ["a film", "a movie", "play the game"], ["x", "y", "x"])
    assert not set(found.values()) & set(found)


def test_a_chain_of_neighbours_takes_no_word_that_no_row_has() -> None:
    names = dict(enumerate(("table", "desk", "lamp")))
    chain = Lexicon(np.arange(3), np.asarray([[1], [-1], [1]], np.int64), names)
    texts = ["a table"] * 4 + ["a desk"] * 2
    assert groups(chain, texts, ["x"] * 6) == {"desk": "table"}
    texts += ["a lamp"] * 2
    assert groups(chain, texts, ["x"] * 8) == {"desk": "table", "lamp": "table"}
