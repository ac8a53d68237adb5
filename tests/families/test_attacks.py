"""Every attack passes the same table: budget, seed, honesty, and texts of every shape."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest

from luthier.safety.attack import Attack, Attempt, Limits, Scores, Slopes
from luthier.safety.attacks.ball import Ball
from luthier.safety.attacks.characters import Characters
from luthier.safety.attacks.hotflip import HotFlip
from luthier.safety.attacks.substitution import Substitution
from luthier.safety.lexicon import Lexicon
from luthier.safety.outcome import proportion, summary
from luthier.safety.universal import Universal
from luthier.safety.validity import Validity
from luthier.safety.words import word_ends

WORDS = ["good", "fine", "nice", "poor", "weak", "film", "movie", "plot", "story"]
WEIGHTS = {"good": 1.0, "fine": -0.4, "nice": 0.6, "poor": -1.0, "weak": -0.8}
NEAR = [[1, 2], [0, 2], [0, 1], [4, -1], [3, -1], [6, -1], [5, -1], [8, -1], [7, -1]]
LEXICON = Lexicon(np.arange(9), np.asarray(NEAR), dict(enumerate(WORDS)))
TEXTS = [
    "", "x", "good film", "a poor plot and a weak story", "The good movie, a fine story.",
    "שלום עולם טוב", "good " * 400, "\u200b", "nice nice nice weak",
]  # fmt: skip
TRUTHS = [1, 1, 1, 0, 1, 1, 1, 0, 1]


@dataclass
class Toy:
    """Counts what it is asked; a word it does not know by its spelling counts nothing."""

    asked: list[str] = field(default_factory=list)
    embeddings: np.ndarray = field(
        default_factory=lambda: np.asarray([[WEIGHTS.get(w, 0.0)] for w in WORDS], np.float32)
    )

    def scores(self, texts: Sequence[str]) -> Scores:
        self.asked += texts
        return np.stack([_answer(_mood(t)) for t in texts])

    def slopes(self, text: str, truth: int) -> Slopes:
        self.asked.append(text)
        known = [WORDS.index(w) for w in _words(text) if w in WORDS]
        slope = np.full((len(known), 1), -1.0 if truth else 1.0, np.float32)
        return Slopes(np.asarray(known, np.int64), np.zeros((len(known), 2), np.int64), slope)

    def shifted(
        self, texts: Sequence[str], truths: Sequence[int], radius: float, steps: int
    ) -> Scores:
        moves = [(-radius if truth else radius) * min(steps, 1) * 5 for truth in truths]
        return np.stack([_answer(_mood(t) + m) for t, m in zip(texts, moves, strict=True)])


def _words(text: str) -> list[str]:
    return [text[a:b].lower() for a, b in word_ends(text)]


def _mood(text: str) -> float:
    return 0.1 + sum(WEIGHTS.get(w, 0.0) for w in _words(text))


def _answer(mood: float) -> np.ndarray:
    chance = 1 / (1 + np.exp(-mood))
    return np.asarray([1 - chance, chance])


JUDGE = Validity(None, ("bad", "good one"), most_changed=0.5)
MEMBERS: list[Attack] = [
    Substitution(LEXICON, JUDGE, 0.5),
    HotFlip(LEXICON, Toy().embeddings, JUDGE, 0.5),
    Characters("typos", JUDGE, 0.5),
    Characters("invisible", JUDGE, 0.5),
    Characters("lookalikes", JUDGE, 0.5),
    Ball(0.5),
]


@pytest.fixture(params=MEMBERS, ids=lambda member: member.name)
def member(request: pytest.FixtureRequest) -> Attack:
    """Each attack."""
    found: Attack = request.param
    return found


def _run(member: Attack, queries: int = 60, seed: int = 0) -> list[Attempt]:
    return member.run(Toy(), TEXTS, TRUTHS, Limits(queries, seed))


def test_one_attempt_per_text_and_only_right_answers_are_attacked(member: Attack) -> None:
    found = _run(member)
    assert [a.text for a in found] == TEXTS
    said = Toy().scores(TEXTS).argmax(1)
    assert [a.right for a in found] == [s == t for s, t in zip(said, TRUTHS, strict=True)]
    assert all(a.found is None for a in found if not a.right)


def test_a_success_is_another_text_that_changes_the_answer(member: Attack) -> None:
    found = [a for a in _run(member) if a.found is not None]
    assert found, "an attack that never succeeds here proves nothing"
    assert all(a.found != a.text for a in found)
    if member.name != "ball":
        changed = Toy().scores([str(a.found) for a in found]).argmax(1)
        assert all(c != a.truth for c, a in zip(changed, found, strict=True))
        assert all(JUDGE(a.text, str(a.found), a.truth) is None for a in found)


@pytest.mark.parametrize("queries", [1, 2, 7, 30])
def test_the_budget_holds(member: Attack, queries: int) -> None:
    for text, truth in zip(TEXTS, TRUTHS, strict=True):
        toy = Toy()
        (found,) = member.run(toy, [text], [truth], Limits(queries))
        assert len(toy.asked) <= queries
        assert found.queries <= max(queries, 2)


def test_the_same_seed_finds_the_same(member: Attack) -> None:
    assert _run(member, seed=3) == _run(member, seed=3)


def test_company_changes_nothing(member: Attack) -> None:
    alone = [member.run(Toy(), [t], [y], Limits(40))[0] for t, y in zip(TEXTS, TRUTHS, strict=True)]
    assert alone == member.run(Toy(), TEXTS, TRUTHS, Limits(40, together=3))


def test_nothing_to_attack(member: Attack) -> None:
    assert member.run(Toy(), [], [], Limits()) == []


class Spelled(Toy):
    """Names every word it knows by a token of its own."""

    def slopes(self, text: str, truth: int) -> Slopes:
        self.asked.append(text)
        known = [(WORDS.index(w), ends) for ends in word_ends(text)
                 if (w := text[slice(*ends)].lower()) in WORDS]  # fmt: skip
        slope = np.full((len(known), 1), -1.0 if truth else 1.0, np.float32)
        ids = np.asarray([i for i, _ in known], np.int64)
        return Slopes(ids, np.asarray([e for _, e in known], np.int64).reshape(-1, 2), slope)


PHRASE = Universal(dict(enumerate(WORDS)), Toy().embeddings, length=2, tries=4)
GOOD = ["a good film", "nice plot", "good story", "the nice movie", "good plot", "a nice story"]


def test_one_phrase_turns_texts_it_was_not_learnt_on() -> None:
    toy = Spelled()
    found = PHRASE.run(toy, GOOD, [1] * len(GOOD), Limits(seed=4))
    assert [a.text for a in found.attempts] == GOOD
    assert all(a.found and a.found.endswith(a.text) for a in found.attempts)
    assert all(Toy().scores([str(a.found)]).argmax() == 0 for a in found.attempts)
    assert all(set(p.split()) <= {"poor", "weak"} for p in found.phrases)
    # each right text costs two queries beside those of learning
    assert len(toy.asked) == found.queries + 2 * len(GOOD)
    assert PHRASE.run(Spelled(), GOOD, [1] * len(GOOD), Limits(seed=4)) == found


def test_a_phrase_leaves_wrong_answers_and_nothing_alone() -> None:
    found = PHRASE.run(Spelled(), GOOD, [0] * len(GOOD), Limits())
    assert [a.right for a in found.attempts] == [False] * len(GOOD)
    assert found.phrases == ("", "") and found.queries == 0
    assert PHRASE.run(Spelled(), [], [], Limits()).attempts == ()


def test_the_filter_says_why() -> None:
    judge = Validity(lambda texts: np.asarray([[1.0, len(t)] for t in texts]), ("loan", "card"))
    assert judge("pay my bill", "play his hill", 0) == "too many words changed"
    assert judge("pay my big bill now", "pay my big card now", 0) == "names another label"
    assert judge("pay my big bill now", "pay my big loan now", 0) is None
    flat = Validity(
        lambda texts: np.asarray([[float("a" in t), float("a" not in t)] for t in texts])
    )
    assert flat("a b c d", "e b c d", 0) == "means something else"


def test_numbers_of_an_attack() -> None:
    attempts = [
        Attempt("a", 0, True, "b", 50, {"means something else": 2}),
        Attempt("c", 0, True, "d", 150),
        Attempt("e", 0, True, None, 200),
        Attempt("f", 0, False),
    ]
    told = summary("words", "evasion, black box", attempts, Limits(200))
    assert told["accuracy"]["value"] == 0.75
    assert told["robust_accuracy"]["value"] == 0.25
    assert told["success"]["100"]["value"] == pytest.approx(1 / 3)
    assert told["success"]["200"]["value"] == pytest.approx(2 / 3)
    assert told["thrown_away"] == {"means something else": 2}


def test_intervals_of_shares() -> None:
    from scipy.stats import binomtest

    for hits, trials in [(0, 5), (3, 10), (10, 10)]:
        wanted = binomtest(hits, trials).proportion_ci(0.95, "exact")
        found = proportion(hits, trials)
        assert (found.low, found.high) == pytest.approx((wanted.low, wanted.high))
    assert (proportion(0, 0).low, proportion(0, 0).high) == (0.0, 1.0)


@pytest.mark.parametrize("kind", ["words", "typos", "invisible", "lookalikes"])
def test_a_long_text_is_changed_and_not_only_probed(kind: str) -> None:
    text, toy = "good film " * 100, Toy()
    spelt: Attack = Characters(kind, Validity(None)) if kind != "words" else _WORDS  # type: ignore[arg-type]
    spelt.run(toy, [text], [1], Limits(30))
    probed = [one for one in toy.asked if len(one.split()) < 200]
    changed = [one for one in toy.asked if len(one.split()) == 200 and one != text]
    assert len(toy.asked) == 30 and len(probed) == 15
    assert len(changed) == 14


_WORDS: Attack = Substitution(LEXICON, Validity(None))
