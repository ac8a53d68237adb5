"""Rows of every usual shape become canonical rows, or say what is wrong with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier.core.errors import FixData, FixRecipe
from luthier.core.types import FIELDS, Level, Task
from luthier.data.mapping import Mapping, Refusals, canonical_rows
from luthier.data.mappings.spans import from_tags
from luthier.data.source import open_source

USER = {"role": "user", "content": "q"}
REPLY = {"role": "assistant", "content": "a"}
CLASSIFY = Mapping(task=Task.CLASSIFY, text=("text",), label="label")
MANY = Mapping(task=Task.MULTILABEL, text=("text",), label="label", divider="|")
NUMBER = Mapping(task=Task.REGRESS, text=("text",), label="label")
SPANS = Mapping(task=Task.TAG, text=("text",), spans="spans")
TOKENS = Mapping(task=Task.TAG, tokens="tokens", spans="tags")
PAIR = Mapping(task=Task.INSTRUCT, prompt="prompt", response="response")
FULL = Mapping(
    task=Task.INSTRUCT, prompt="prompt", response="response", context="context", input="input",
    system="system",
)  # fmt: skip
CHAT = Mapping(task=Task.INSTRUCT, messages="messages")
PREFER = Mapping(task=Task.PREFER, prompt="prompt", chosen="chosen", rejected="rejected")
BARE = Mapping(task=Task.PREFER, chosen="chosen", rejected="rejected")


def use(mapping: Mapping, **row: Any) -> dict[str, Any]:
    return mapping.apply(row, "a.csv", 17)


@pytest.mark.parametrize(
    ("value", "label"),
    [("x", "x"), (" x ", "x"), (3, "3"), (3.0, "3"), (2.5, "2.5"), (True, "true")],
)
def test_a_class_becomes_its_name(value: Any, label: str) -> None:
    assert use(CLASSIFY, text="t", label=value) == {"text": "t", "label": label}


@pytest.mark.parametrize(
    ("value", "labels"),
    [("a|b", ["a", "b"]), ("a", ["a"]), ("", []), (None, []), (["a", 2, "a"], ["a", "2"]),
     ('["a", "b"]', ["a", "b"]), ("['a', 'b']", ["a", "b"])],
)  # fmt: skip
def test_several_labels(value: Any, labels: list[str]) -> None:
    assert use(MANY, text="t", label=value)["labels"] == labels


@pytest.mark.parametrize("value", ["0.25", 0.25])
def test_a_number(value: Any) -> None:
    assert use(NUMBER, text="t", label=value)["label"] == 0.25


def test_text_columns_are_joined() -> None:
    mapping = Mapping(task=Task.ADAPT, text=("title", "body"), separator=" / ")
    assert use(mapping, title="a", body="b") == {"text": "a / b"}
    assert use(mapping, title=None, body="b") == {"text": "b"}


@pytest.mark.parametrize(
    "value",
    [
        [[8, 12, "LOC"], [0, 4, "PER"]],
        [{"start": 8, "end": 12, "label": "LOC"}, {"start": 0, "end": 4, "label": "PER"}],
        '[[8, 12, "LOC"], [0, 4, "PER"]]',
    ],
)
def test_spans_come_in_order(value: Any) -> None:
    spans = use(SPANS, text="Anna in Rome", spans=value)["spans"]
    assert spans == [[0, 4, "PER"], [8, 12, "LOC"]]


def test_tokens_with_tags_become_text_with_spans() -> None:
    row = use(TOKENS, tokens=["Anna", "Li", "in", "Rome"], tags=["B-P", "I-P", "O", "B-L"])
    assert row == {"text": "Anna Li in Rome", "spans": [[0, 7, "P"], [11, 15, "L"]]}


@pytest.mark.parametrize(
    ("tags", "spans"),
    [
        (["B-P", "B-P", "I-P"], [[0, 1, "P"], [2, 5, "P"]]),
        (["I-P", "I-P", "I-L"], [[0, 3, "P"], [4, 5, "L"]]),
        (["B-P", "L-P", "U-P"], [[0, 3, "P"], [4, 5, "P"]]),
        (["B-P", "I-P", "E-P"], [[0, 5, "P"]]),
        (["S-P", "S-P", "O"], [[0, 1, "P"], [2, 3, "P"]]),
        (["P", "P", "O"], [[0, 3, "P"]]),
    ],
)
def test_every_tag_scheme(tags: list[str], spans: list[list[Any]]) -> None:
    assert from_tags(["a", "b", "c"], tags) == spans


WORD = st.text(st.characters(categories=("L", "N")), min_size=1, max_size=6)


@given(st.lists(st.tuples(WORD, st.sampled_from(["O", "B-X", "I-X", "B-Y", "I-Y"])), min_size=1))
def test_tags_cover_exactly_the_tagged_words(pairs: list[tuple[str, str]]) -> None:
    words, tags = [word for word, _ in pairs], [tag for _, tag in pairs]
    spans = from_tags(words, tags)
    text = " ".join(words)
    assert all(0 <= start < end <= len(text) for start, end, _ in spans)
    marked = [w for start, end, _ in spans for w in text[start:end].split(" ")]
    assert marked == [word for word, tag in pairs if tag != "O"]


def test_a_prompt_with_context_and_input_is_one_user_turn() -> None:
    row = use(FULL, prompt="ask", response="a", context="read", input="this", system="be kind")
    assert row["messages"] == [
        {"role": "system", "content": "be kind"},
        {"role": "user", "content": "read\n\nask\n\nthis"},
        {"role": "assistant", "content": "a"},
    ]
    row = use(FULL, prompt="ask", response="a", context="", input=None, system="")
    assert row["messages"] == [{"role": "user", "content": "ask"}, REPLY]


def test_a_transcript_becomes_turns() -> None:
    prompt = "Human: Hi\n\nAssistant: Hello\n\nHuman: And?\n\nAssistant:"
    messages = use(PAIR, prompt=prompt, response="a")["messages"]
    assert [m["role"] for m in messages] == ["user", "assistant", "user", "assistant"]
    assert [m["content"] for m in messages] == ["Hi", "Hello", "And?", "a"]


def test_chat_in_every_spelling() -> None:
    shared = [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]
    assert use(CHAT, messages=shared)["messages"] == [USER, REPLY]
    parts = [{"role": "user", "content": [{"type": "text", "text": "q"}]}, REPLY]
    assert use(CHAT, messages=parts)["messages"] == [USER, REPLY]
    assert use(CHAT, messages='[{"role": "user", "content": "q"}, '
               '{"role": "assistant", "content": "a"}]')["messages"] == [USER, REPLY]  # fmt: skip


def test_tool_calls_and_results_are_kept() -> None:
    call = [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
    turns = [
        USER,
        {"role": "assistant", "content": None, "tool_calls": call},
        {"role": "tool", "content": "3", "tool_call_id": "1", "name": "f"},
        REPLY,
    ]
    messages = use(CHAT, messages=turns)["messages"]
    assert messages == [turns[0], turns[1] | {"content": ""}, *turns[2:]]


def test_preference_in_every_spelling() -> None:
    wanted = {"messages": [USER], "chosen": "a", "rejected": "b"}
    other = {"role": "assistant", "content": "b"}
    assert use(PREFER, prompt="q", chosen="a", rejected="b") == wanted
    assert use(PREFER, prompt=[USER], chosen=[REPLY], rejected=[other]) == wanted
    assert use(BARE, chosen=[USER, REPLY], rejected=[USER, other]) == wanted
    said = "\n\nHuman: q\n\nAssistant: "
    assert use(BARE, chosen=said + "a", rejected=said + "b") == wanted


FAULTS = [
    (CLASSIFY, {"txt": "t", "label": "x"}, "column 'text' is missing.*Did you mean 'txt'"),
    (CLASSIFY, {"text": " ", "label": "x"}, "text is empty"),
    (CLASSIFY, {"text": "t", "label": ""}, "label in column 'label' is empty"),
    (CLASSIFY, {"text": "t", "label": float("nan")}, "is empty"),
    (CLASSIFY, {"text": "t", "label": ["x"]}, "set task: multilabel"),
    (CLASSIFY, {"text": ["t"], "label": "x"}, "holds a list where text should be"),
    (CLASSIFY, {"text": "\ud800", "label": "x"}, "half a surrogate pair"),
    (MANY, {"text": "t", "label": [["x"]]}, "no class name"),
    (NUMBER, {"text": "t", "label": "much"}, "holds 'much', which is not a finite number"),
    (NUMBER, {"text": "t", "label": "inf"}, "not a finite number"),
    (NUMBER, {"text": "t", "label": True}, "not a finite number"),
    (SPANS, {"text": "abc", "spans": [[0, 4, "X"]]}, "outside the text.*3 characters"),
    (SPANS, {"text": "abc", "spans": [[-1, 2, "X"]]}, "outside the text"),
    (SPANS, {"text": "abc", "spans": [[2, 2, "X"]]}, "starts at or after its end"),
    (SPANS, {"text": "abc", "spans": [[0, 2, "X"], [1, 3, "Y"]]}, "overlap"),
    (SPANS, {"text": "abc", "spans": [[0, 2]]}, "is not a span"),
    (SPANS, {"text": "abc", "spans": [["0", "2", "X"]]}, "not a whole number"),
    (SPANS, {"text": "abc", "spans": "X"}, "not a list of spans"),
    (TOKENS, {"tokens": ["a"], "tags": ["O", "O"]}, "1 tokens and 'tags' 2 tags"),
    (TOKENS, {"tokens": ["a"], "tags": [3]}, "numbers without names"),
    (PAIR, {"prompt": "q", "response": ""}, "only a prompt"),
    (PAIR, {"prompt": "", "response": "a"}, "column 'prompt' is empty"),
    (CHAT, {"messages": [USER]}, "last message is from user, not from the assistant"),
    (CHAT, {"messages": [REPLY]}, "no message is from the user"),
    (CHAT, {"messages": []}, "not a list of messages"),
    (CHAT, {"messages": [USER, {"role": "king", "content": "a"}]}, "message 2 has the role 'king'"),
    (CHAT, {"messages": [USER, {"role": "assistant", "content": ""}]}, "message 2 is empty"),
    (PREFER, {"prompt": "q", "chosen": "a", "rejected": "a "}, "are the same"),
    (PREFER, {"prompt": "q", "chosen": "a", "rejected": ""}, "'rejected' is empty"),
    (BARE, {"chosen": "a", "rejected": "b"}, "no user message before the answers"),
    (
        BARE,
        {"chosen": [USER, REPLY], "rejected": [{"role": "user", "content": "p"}, REPLY]},
        "differ before their last message",
    ),
]


@pytest.mark.parametrize(("mapping", "row", "message"), FAULTS)
def test_a_row_that_does_not_fit_says_why(
    mapping: Mapping, row: dict[str, Any], message: str
) -> None:
    with pytest.raises(FixData, match=message) as caught:
        mapping.apply(row, "a.csv", 17)
    assert caught.value.place == "a.csv, row 17"


def test_group_weight_and_identity_come_along() -> None:
    mapping = Mapping(task=Task.ADAPT, text=("text",), group="patient", weight="w", identity="id")
    row = use(mapping, text="t", patient=7, w="0.5", id="x1")
    assert row == {"text": "t", "group": "7", "weight": 0.5, "identity": "x1"}
    with pytest.raises(FixData, match="negative"):
        use(mapping, text="t", patient=7, w=-1, id="x1")
    with pytest.raises(FixData, match="'patient' is empty"):
        use(mapping, text="t", patient="", w=1, id="x1")


def test_a_needed_column_that_is_not_set_is_asked_for() -> None:
    with pytest.raises(FixRecipe, match=r"data\.columns\.label"):
        use(Mapping(task=Task.CLASSIFY, text=("text",)), text="t")


@pytest.mark.parametrize("mapping", [CLASSIFY, MANY, NUMBER, SPANS, PAIR, CHAT, PREFER])
def test_canonical_rows_have_the_fields_of_their_task(mapping: Mapping) -> None:
    row = {"text": "t", "label": "1", "spans": [], "prompt": "q", "response": "a",
           "messages": [USER, REPLY], "chosen": "a", "rejected": "b"}  # fmt: skip
    assert tuple(mapping.apply(row, "a", 1)) == FIELDS[mapping.task]


def test_refused_rows_are_counted_by_cause(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("text,label\na,x\n,x\nb,\n,y\n")
    refusals = Refusals()
    rows = list(canonical_rows(open_source(str(path)), CLASSIFY, refusals))
    assert [number for number, _ in rows] == [1]
    assert refusals.count == 3
    findings = refusals.findings()
    assert [(f.count, f.rows) for f in findings] == [(2, (2, 4)), (1, (3,))]
    assert {f.level for f in findings} == {Level.ERROR}
    with pytest.raises(FixData, match="row 2"):
        list(canonical_rows(open_source(str(path)), CLASSIFY))


def test_few_refused_rows_are_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("text,label\n" + "a,x\n" * 20 + ",x\n")
    refusals = Refusals()
    assert len(list(canonical_rows(open_source(str(path)), CLASSIFY, refusals))) == 20
    assert [(f.level, f.rows) for f in refusals.findings()] == [(Level.WARNING, (21,))]


def test_a_file_where_no_row_fits_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("prompt,response\nq,\np,\n")
    with pytest.raises(FixData, match="row 1: there is only a prompt"):
        list(canonical_rows(open_source(str(path)), PAIR, Refusals()))
