"""Answered questions shown before a new one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier.core.errors import CheckRun
from luthier.fewshot.showing import FILE, SHOWN, Demonstrations, load


def talk(question: str, answer: str | None = None) -> list[dict[str, str]]:
    said = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": question}]
    return said if answer is None else [*said, {"role": "assistant", "content": answer}]


ROWS = Demonstrations.of(
    [
        talk("the price of the red car", "low"),
        talk("the price of a blue house", "high"),
        talk("who sells fish", "Ann"),
        talk("the red house by the river", "sold"),
        talk("when does the train leave", "at noon"),
        talk("a question nobody answered"),
    ]
)


def test_the_nearest_stand_last_and_only_the_question_changes() -> None:
    told = ROWS.before(talk("the price of the red house"), 1000, len)
    assert [m["role"] for m in told] == ["system", "user"] and told[0]["content"] == "Be brief."
    shown = told[1]["content"].split("\n\n")
    assert len(shown) == SHOWN + 1 and shown[-1] == "the price of the red house"
    order = ROWS.nearest("the price of the red house")
    assert shown[-2] == f"{ROWS.questions[order[0]]}\n{ROWS.answers[order[0]]}"
    assert order[-1] in (2, 4), "no telling word in common"
    assert len(ROWS.questions) == 5, "a question without an answer shows nothing"


def test_room_is_never_exceeded_and_nearer_rows_go_first() -> None:
    first = ROWS.nearest("who sells fish")[0]
    size = len(f"{ROWS.questions[first]}\n{ROWS.answers[first]}\n\n")
    told = ROWS.before(talk("who sells fish"), size, len)
    assert told[1]["content"] == "who sells fish\nAnn\n\nwho sells fish"
    assert ROWS.before(talk("who sells fish"), size - 1, len) == talk("who sells fish")
    assert Demonstrations((), ()).before(talk("who"), 100, len) == talk("who")


@given(st.text(), st.integers(0, 200))
def test_any_question_keeps_its_end_within_the_room(question: str, room: int) -> None:
    told = ROWS.before(talk(question), room, len)[1]["content"]
    assert told.endswith(question) and len(told) - len(question) <= room


def test_what_is_kept_comes_back_and_damage_is_refused(tmp_path: Path) -> None:
    assert load(tmp_path) is None
    ROWS.save(tmp_path)
    assert load(tmp_path) == ROWS
    for text in ("{", json.dumps({"questions": ["a"], "answers": []}), "[]"):
        (tmp_path / FILE).write_text(text, encoding="utf-8")
        with pytest.raises(CheckRun, match=r"demonstrations\.json"):
            load(tmp_path)
