"""Rules are read as data, and a label model weighs their votes better than a head count."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luthier.core.errors import FixRecipe
from luthier.fewshot.query import UNKNOWN
from luthier.fewshot.votes.dawid_skene import DawidSkene
from luthier.fewshot.votes.majority import Majority
from luthier.fewshot.votes.report import accuracy, conflicts, report
from luthier.fewshot.votes.rules import read_rules, votes_of

LABELS = ("access", "billing", "other")
RULES = """\
rules:
  - {name: money, label: billing, words: [refund, invoice, "€"]}
  - {name: login, label: access, pattern: "log ?in|password", unless: "no password"}
  - {label: other, words: [weather]}
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "rules.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_rules_vote_by_words_and_patterns(tmp_path: Path) -> None:
    rules = read_rules(write(tmp_path, RULES), LABELS)
    texts = ["A REFUND please", "refunds?", "5 € gone", "cannot log in", "no password needed", ""]
    votes = votes_of(rules, texts, LABELS)
    no = UNKNOWN
    assert votes.tolist() == [
        [1, no, no], [no, no, no], [1, no, no], [no, 0, no], [no, no, no], [no, no, no],
    ]  # fmt: skip
    assert rules[2].name == "rule 3"
    assert votes_of(rules, [], LABELS).shape == (0, 3)


def test_json_is_read_as_well(tmp_path: Path) -> None:
    path = tmp_path / "rules.json"
    path.write_text('{"rules": [{"label": "other", "words": ["x"]}]}', encoding="utf-8")
    assert read_rules(path, LABELS)[0].votes("an X here")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rules:\n  - {label: biling, words: [x]}", "did you mean 'billing'?"),
        ("rules:\n  - {label: billing, word: [x]}", "did you mean 'words'?"),
        ("rules:\n  - {label: billing}", "either words or a pattern"),
        ("rules:\n  - {label: billing, words: [x], pattern: y}", "either words or a pattern"),
        ("rules:\n  - {label: billing, words: []}", "no list of words"),
        ("rules:\n  - {label: billing, words: x}", "no list of words"),
        ('rules:\n  - {label: billing, pattern: "("}', "is broken"),
        ('rules:\n  - {label: billing, pattern: "x*"}', "finds every text"),
        ("rules:\n  - billing", "no mapping"),
        ("rules: []", "no list of rules"),
        ("votes:\n  - {label: billing, words: [x]}", "no list of rules"),
        (
            "rules:\n  - {name: a, label: other, words: [x]}\n"
            "  - {name: a, label: other, words: [y]}",
            "two rules are called 'a'",
        ),
    ],
)
def test_faults_of_rules_are_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(FixRecipe) as caught:
        read_rules(write(tmp_path, text), LABELS)
    assert said in str(caught.value)


def drawn(reliable: list[float], rows: int = 2000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Votes of annotators for three classes, each right with its chance, half of them silent."""
    rng = np.random.default_rng(seed)
    truth = rng.choice(3, rows, p=[0.6, 0.3, 0.1])
    votes = np.empty((rows, len(reliable)), np.int64)
    for column, chance in enumerate(reliable):
        right = rng.random(rows) < chance
        votes[:, column] = np.where(right, truth, rng.integers(0, 3, rows))
        votes[rng.random(rows) < 0.5, column] = UNKNOWN
    return votes, truth


def test_reliable_rules_outvote_a_crowd_of_careless_ones() -> None:
    votes, truth = drawn([0.95, 0.9, 0.1, 0.1, 0.1, 0.1])
    voted = (votes != UNKNOWN).any(axis=1)
    nothing = np.full(len(truth), UNKNOWN)
    found = {
        m.name: accuracy(m.chances(votes, 3, nothing), truth, voted)
        for m in (DawidSkene(), Majority())
    }
    one, other = found["dawid-skene"], found["majority"]
    assert one is not None and other is not None
    assert one.low > other.high


def test_known_labels_hold_their_rows_and_help_the_rest() -> None:
    votes, truth = drawn([0.6, 0.3, 0.3], seed=1)
    known = np.where(np.arange(len(truth)) < 300, truth, UNKNOWN)
    chances = DawidSkene().chances(votes, 3, known)
    assert (chances[:300].argmax(1) == truth[:300]).all()
    voted = (votes != UNKNOWN).any(axis=1)
    rest = np.where(np.arange(len(truth)) >= 300, truth, UNKNOWN)
    blind = DawidSkene().chances(votes, 3, np.full(len(truth), UNKNOWN))
    helped, alone = accuracy(chances, rest, voted), accuracy(blind, rest, voted)
    assert helped is not None and alone is not None
    assert helped.value >= alone.value


@settings(max_examples=40, deadline=None)
@given(
    rows=st.integers(1, 30), rules=st.integers(1, 5), classes=st.integers(1, 4),
    seed=st.integers(0, 99),
)  # fmt: skip
def test_chances_are_chances_and_silence_tells_nothing(
    rows: int, rules: int, classes: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    votes = rng.integers(UNKNOWN, classes, (rows, rules))
    known = np.full(rows, UNKNOWN)
    for model in (DawidSkene(), Majority()):
        chances = model.chances(votes, classes, known)
        assert chances.shape == (rows, classes)
        np.testing.assert_allclose(chances.sum(1), 1, atol=1e-9)
        silent = (votes == UNKNOWN).all(axis=1)
        np.testing.assert_allclose(chances[silent], 1 / classes)


def test_the_report_counts_what_can_be_judged(tmp_path: Path) -> None:
    rules = read_rules(write(tmp_path, RULES), LABELS)
    no = UNKNOWN
    votes = np.array([[1, no, no], [1, 0, no], [no, no, no], [1, no, 2]])
    truth = np.array([1, 0, 2, no])
    money, login, _ = report(rules, votes, truth)
    assert (money["votes"], money["judged"]) == (3, 2)
    assert money["accuracy"]["value"] == 0.5
    assert money["coverage"]["value"] == 0.75
    assert login["accuracy"]["value"] == 1.0
    assert login["accuracy"]["low"] == pytest.approx(0.025)
    assert conflicts(votes) == 2
