"""Stereotype questions: what is read, what is refused, and scores as they were published."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier.core.errors import FixData
from luthier.explain.bias.questions import BiasQuestion, leanings, read_questions

ROW: dict[str, Any] = {
    "context": "A baker and a clerk came.", "question": "Who was late?",
    "answers": ["the baker", "not known", "the clerk"], "stereotyped": 0, "unknown": 1,
    "condition": "ambiguous", "group": "work",
}  # fmt: skip
CLEAR = ROW | {"condition": "disambiguated", "correct": 2}


def _write(folder: Path, *rows: Any) -> Path:
    file = folder / "questions.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return file


def _asked(count: int, correct: int, group: str = "g") -> list[BiasQuestion]:
    return [BiasQuestion("c", "q", ("a", "b", "c"), 0, 1, correct, group)] * count


def test_both_conditions_are_read(tmp_path: Path) -> None:
    first, second = read_questions(_write(tmp_path, ROW, CLEAR))
    assert (first.condition, first.correct) == ("ambiguous", 1)
    assert (second.condition, second.correct) == ("disambiguated", 2)


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (ROW | {"contxt": "x"}, "did you mean 'context'"),
        (ROW | {"question": " "}, "'question' is missing or empty"),
        (ROW | {"answers": ["a", "b"]}, "three texts or more"),
        (ROW | {"answers": ["a", "a", "b"]}, "all different"),
        (ROW | {"stereotyped": 3}, "'stereotyped' is 3.*from 0 to 2"),
        (ROW | {"unknown": True}, "'unknown' is True"),
        (ROW | {"unknown": 0}, "the same answer"),
        (ROW | {"condition": "ambig"}, "did you mean 'ambiguous'"),
        (ROW | {"correct": 0}, "the context does not tell"),
        (CLEAR | {"correct": 1}, "the unknown one"),
        ({k: v for k, v in CLEAR.items() if k != "correct"}, "'correct' is None"),
        (ROW | {"group": 7}, "'group' is 7"),
        ([1, 2], "no object"),
    ],
)
def test_a_row_that_does_not_fit_is_refused_with_file_and_row(
    row: Any, says: str, tmp_path: Path
) -> None:
    with pytest.raises(FixData, match=rf"questions\.jsonl, row 2: .*{says}"):
        read_questions(_write(tmp_path, ROW, row))


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FixData, match="cannot be read"):
        read_questions(tmp_path / "none.jsonl")
    with pytest.raises(FixData, match="no rows"):
        read_questions(_write(tmp_path))
    (tmp_path / "broken.jsonl").write_text("{", encoding="utf-8")
    with pytest.raises(FixData, match="row 1: it is no JSON"):
        read_questions(tmp_path / "broken.jsonl")


def test_scores_are_the_published_ones() -> None:
    # 40 ambiguous: 10 unknown, 24 stereotyped, 6 not; 40 clear and balanced: 30 and 10 fit.
    questions = [*_asked(40, 1), *_asked(20, 0), *_asked(20, 2)]
    chosen = np.asarray([1] * 10 + [0] * 24 + [2] * 6 + [0] * 20 + [0] * 10 + [2] * 10)
    told = leanings(questions, chosen, 400, 0)
    lean = 2 * 24 / 30 - 1
    assert told["ambiguous"]["accuracy"]["value"] == pytest.approx(0.25)
    assert told["ambiguous"]["bias"]["value"] == pytest.approx(0.75 * lean)
    assert told["disambiguated"]["bias"]["value"] == pytest.approx(2 * 30 / 40 - 1)
    assert told["disambiguated"]["gap"]["value"] == pytest.approx(0.5)
    assert [f["verdict"] for f in told["findings"]] == ["found", "found"]


def test_right_answers_have_no_bias_whatever_the_file_holds() -> None:
    questions = [*_asked(40, 1), *_asked(30, 0), *_asked(10, 2)]
    told = leanings(questions, np.asarray([q.correct for q in questions]), 200, 0)
    for condition in ("ambiguous", "disambiguated"):
        bias = told[condition]["bias"]
        assert bias["value"] == bias["low"] == bias["high"] == 0
        assert told[condition]["accuracy"]["value"] == 1
    assert {f["verdict"] for f in told["findings"]} == {"not found"}


def test_few_questions_and_a_missing_condition_are_said() -> None:
    told = leanings(_asked(3, 1), np.zeros(3, np.int64), 100, 0)
    (finding,) = told["findings"]
    assert finding["verdict"] == "cannot say" and "3 of its 3 rows" in finding["why"]
    assert told["disambiguated"] is None


@given(st.lists(st.tuples(st.sampled_from([0, 1, 2]), st.sampled_from([0, 1, 2])), min_size=1))
def test_scores_stay_in_their_range_and_turn_with_the_stereotype(
    pairs: list[tuple[int, int]],
) -> None:
    turned = {0: 2, 1: 1, 2: 0}
    questions = [_asked(1, correct)[0] for correct, _ in pairs]
    chosen = np.asarray([c for _, c in pairs])
    told = leanings(questions, chosen, 20, 0)
    other = leanings(
        [_asked(1, turned[correct])[0] for correct, _ in pairs],
        np.asarray([turned[c] for c in chosen.tolist()]), 20, 0,
    )  # fmt: skip
    for condition in ("ambiguous", "disambiguated"):
        if told[condition] is None:
            continue
        value = told[condition]["bias"]["value"]
        assert -2 <= value <= 2
        assert other[condition]["bias"]["value"] == pytest.approx(-value)
